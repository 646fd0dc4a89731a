# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for vectl(1): commands and their options come from vectl's own help, names from `vectl list --names`.

_vectl_names()
{
	"${vectl[@]}" list --names 2>/dev/null
}

_vectl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= words= i
	local -a vectl=("${COMP_WORDS[0]}")

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root)
			vectl+=(--root "${COMP_WORDS[i+1]}")
			((i++))
			;;
		--root=*) vectl+=("${COMP_WORDS[i]}") ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	case $prev in
	--root | --config)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--state) words='stopped starting running ready paused stopping' ;;
	--wait) words='running ready' ;;
	--image) words=$("${vectl[@]}" image list --names 2>/dev/null) ;;
	esac
	if [[ -z $words && -z $verb ]]; then
		words="--root --json --help --version $("${vectl[@]}" help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')"
	elif [[ -z $words && $cur == -* ]]; then
		words="--json --help $("${vectl[@]}" help "$verb" 2>/dev/null | grep -o -- '--[a-z]*' | sort -u)"
	elif [[ -z $words ]]; then
		case $verb in
		help) words=$("${vectl[@]}" help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p') ;;
		image) words='list build import remove' ;;
		start | stop | restart | pause | resume | destroy) words=$(_vectl_names) ;;
		create | list | ls | version) ;;
		*) ((COMP_CWORD == i + 1)) && words=$(_vectl_names) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _vectl vectl
