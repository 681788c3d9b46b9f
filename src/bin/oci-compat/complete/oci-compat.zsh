#compdef oci-compat
# Completions of oci-compat for zsh. The program itself says how a line may go on.

_oci_compat() {
    local line word ret=1
    local -a found
    for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        case $word in
        '') ;;
        :files) _files && ret=0 ;;
        :folders) _files -/ && ret=0 ;;
        *) found+=("${word//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( ${#found} )) && _describe oci-compat found && ret=0
    return ret
}

if [[ ${funcstack[1]} == _oci-compat ]]; then
    _oci_compat "$@"
elif (( ${+functions[compdef]} )); then
    compdef _oci_compat oci-compat
fi
