# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for vectl(1). What there is to complete comes from vectl itself: commands, their options and what their
# words are from `vectl help --verbs`, keys from `vectl help --keys`, names from the lists of VEs and images.

# VEs: any, or those in a state; `live` is not stopped.
_vectl_ves()
{
	case $1 in
	'') "${vectl[@]}" list --names ;;
	:live) "${vectl[@]}" list -o name,state | while read -r name state _; do
		[[ $state == STATE || $state == stopped ]] || printf '%s\n' "$name"
	done ;;
	*) "${vectl[@]}" list --names --state "${1#:}" ;;
	esac 2>/dev/null
}

# Keys that can be set, as far as they are typed: of net.*.mac, `net.` first, and net.eth0.mac when eth0 is there.
# Each is followed by $2.
_vectl_keys()
{
	local cur=$1 key change head rest name
	while IFS=$'\t' read -r key _ change _; do
		[[ $change == live || $change == next ]] || continue
		if [[ $key == *'*'* ]]; then
			head=${key%%\**} rest=${key#*\*}
			name=${cur#"$head"}
			if [[ $cur == "$head"?* && -n $rest && $name == *.* ]]; then
				printf '%s%s%s%s\n' "$head" "${name%%.*}" "$rest" "$2"
			else
				printf '%s\n' "$head"
			fi
		else
			printf '%s%s\n' "$key" "$2"
		fi
	done < <("${vectl[@]}" help --keys 2>/dev/null)
}

# Values of a key that has a fixed set of them.
_vectl_values()
{
	local key type words
	while IFS=$'\t' read -r key type _ words; do
		# shellcheck disable=SC2053 # the key is a pattern: net.*.type
		[[ $1 == $key ]] || continue
		[[ $type != bool ]] || words='true|false'
		printf '%s\n' "${words//|/$'\n'}"
		return
	done < <("${vectl[@]}" help --keys 2>/dev/null)
}

# Images that are there; _vectl_images: and those that a template makes.
_vectl_stored()
{
	"${vectl[@]}" image list --names 2>/dev/null
}

_vectl_images()
{
	_vectl_stored
	printf '%s\n' debian/13 debian/12 busybox
}

# What a value of an option is, as its help names it.
_vectl_option_value()
{
	local option=$1 meta=$2
	case $option:$meta in
	--set:*) _vectl_key_or_value "$cur" ;;
	*:IMG) _vectl_images ;;
	*:FILE) compgen -f -- "$cur" ;;
	*:DIR | *:FOLDER) [[ $verb == exec ]] || compgen -d -- "$cur" ;;
	*:*'|'*) printf '%s\n' "${meta//|/$'\n'}" ;;
	esac
}

_vectl_key_or_value()
{
	local value prefix=
	if [[ $1 == *=* ]]; then
		[[ $1 != *,* ]] || prefix=${1##*=} prefix=${prefix%,*},
		value=${1%%=*}
		while IFS= read -r word; do
			[[ -z $word ]] || printf '%s=%s%s\n' "${1%%=*}" "$prefix" "$word"
		done < <(_vectl_values "${value%[+-]}")
	else
		_vectl_keys "$1" =
	fi
}

_vectl_word()
{
	case $1 in
	ve*) _vectl_ves "${1#ve}" | sort ;;
	key=) _vectl_key_or_value "$cur" ;;
	set-key)
		"${vectl[@]}" get "${words[index + 1]}" 2>/dev/null | sed 's/=.*//'
		_vectl_keys "$cur"
		;;
	image) _vectl_images ;;
	stored) _vectl_stored ;;
	file) compgen -f -- "$cur" ;;
	topic)
		printf '%s\n' keys "${!verb_takes[@]}"
		"${vectl[@]}" help --keys 2>/dev/null | cut -f 1
		;;
	esac
}

_vectl()
{
	local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} cur verb='' index=0 i word found='' name alias takes opts
	local -a words vectl candidates=() kinds
	local -A verb_takes=() verb_options=()

	# COMP_WORDS is cut at = and :, which words here have inside.
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] && $line ]] || words+=('')
	cur=${words[-1]}
	vectl=("${words[0]}")
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--root | --progress | --color)
			[[ ${words[i]} != --root ]] || vectl+=(--root "${words[i + 1]}")
			((i++))
			;;
		--root=*) vectl+=("${words[i]}") ;;
		-*) ;;
		*)
			verb=${words[i]} index=$i
			break
			;;
		esac
	done
	# Two tabs in a row may be an empty alias: read would take them for one.
	while IFS= read -r line; do
		name=${line%%$'\t'*} line=${line#*$'\t'}
		alias=${line%%$'\t'*} line=${line#*$'\t'}
		takes=${line%%$'\t'*} opts=${line#*$'\t'}
		for word in "$name" $alias; do
			verb_takes[$word]=$takes verb_options[$word]=$opts
		done
	done < <("${vectl[@]}" help --verbs 2>/dev/null)

	local globals='--root=DIR --json --progress=auto|json|none --color=auto|always|never --quiet --verbose --help'
	# An action of the verb: image remove.
	local whole=$verb actions=''
	for word in "${!verb_takes[@]}"; do
		[[ $word != "$verb "* ]] || actions+="${word#* } "
	done
	if [[ -n $actions ]]; then
		for ((i = index + 1; i < ${#words[@]} - 1; i++)); do
			if [[ ${words[i]} != -* && " $actions" == *" ${words[i]} "* ]]; then
				whole="$verb ${words[i]}" index=$i
				break
			fi
		done
	fi

	# What stands after -- is somebody else's.
	for ((i = index + 1; i < ${#words[@]} - 1; i++)); do
		[[ ${words[i]} != -- ]] || return 0
	done

	local options="${verb_options[${whole:-none}]-} $globals" option='' meta=''
	# The word before is an option that wants a value, or this one is --option=.
	if [[ $cur == --*=* ]]; then
		option=${cur%%=*}
	elif ((${#words[@]} > 2)) && [[ ${words[-2]} == -* ]]; then
		option=${words[-2]}
	fi
	for word in $options; do
		[[ -z $option || $word != "$option="* ]] || meta=${word#*=}
	done
	[[ $cur != --*=* ]] || cur=${cur#*=}

	if [[ -n $meta ]]; then
		mapfile -t candidates < <(_vectl_option_value "$option" "$meta")
	elif [[ $cur == -* ]]; then
		for word in $options; do
			candidates+=("${word%%=*}")
		done
	elif [[ -z $verb ]]; then
		for word in "${!verb_takes[@]}"; do
			[[ $word == *' '* ]] || candidates+=("$word")
		done
	elif [[ -n $actions && $whole == "$verb" ]]; then
		read -ra candidates <<<"$actions"
	else
		# Which word of the verb this is: options and their values do not count.
		local n=0
		for ((i = index + 1; i < ${#words[@]} - 1; i++)); do
			if [[ ${words[i]} == -* ]]; then
				[[ " $options" != *" ${words[i]}="* ]] || ((i++))
			else
				((n++))
			fi
		done
		read -ra kinds <<<"${verb_takes[$whole]-}"
		word=${kinds[n]-}
		if [[ -z $word && ${#kinds[@]} -gt 0 && ${kinds[-1]} == *... ]]; then
			word=${kinds[-1]}
		fi
		word=${word%...}
		mapfile -t candidates < <(_vectl_word "$word")
	fi

	COMPREPLY=()
	declare -A seen=()
	for word in "${candidates[@]}"; do
		[[ -n $word && $word == "$cur"* && -z ${seen[$word]-} ]] || continue
		seen[$word]=1
		found=$word
		# bash replaces what follows the last = alone.
		if [[ $cur == *=* && $COMP_WORDBREAKS == *=* ]]; then
			word=${word#"${cur%=*}"=}
		fi
		COMPREPLY+=("$word")
	done
	if ((${#COMPREPLY[@]} == 1)) && [[ $found == *[=.] || -d $found ]]; then
		compopt -o nospace 2>/dev/null
	fi
	[[ $meta != FILE && $meta != DIR ]] || compopt -o filenames 2>/dev/null
}
complete -F _vectl vectl
