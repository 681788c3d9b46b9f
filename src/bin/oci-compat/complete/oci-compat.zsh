#compdef oci-compat
# Completions of oci-compat for zsh. The program itself says how a line may go on.

_oci_compat() {
    local line word
    local -a found
    for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        case $word in
        '') ;;
        :files) _files ;;
        :folders) _files -/ ;;
        *) found+=("${word//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( ${#found} )) && _describe oci-compat found
}

if [[ ${funcstack[1]} == _oci-compat ]]; then
    _oci_compat "$@"
elif (( ${+functions[compdef]} )); then
    compdef _oci_compat oci-compat
fi
