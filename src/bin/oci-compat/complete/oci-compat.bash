# Completions of oci-compat for bash 4.4 and newer. The program itself says how a line may go on.

_oci_compat() {
    local line=${COMP_LINE:0:COMP_POINT} current word meaning path
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]} - 1]}
    COMPREPLY=()
    while IFS=$'\t' read -r word meaning; do
        case $word in
        :files | :folders)
            compopt -o filenames
            while IFS= read -r path; do
                COMPREPLY+=("$path")
            done < <(compgen "$([[ $word == :files ]] && echo -f || echo -d)" -- "$current")
            ;;
        *) COMPREPLY+=("$word") ;;
        esac
    done < <("$1" __complete -- "${words[@]:1}" 2>/dev/null)
    # Bash takes what follows a colon or an equals sign for a word of its own.
    if [[ $current == *[:=]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*[:=]}"}"}")
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}

complete -F _oci_compat oci-compat
