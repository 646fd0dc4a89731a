#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check_completion.sh VECTL vectl.bash: what bash completes, for each verb, option and key that vectl says it has. TAP.
# Names of VEs are the system tier's, which has some.
set -u
PATH=$(cd "$(dirname "$1")" && pwd):$PATH
# shellcheck source=/dev/null
source "$2"

n=0
result() { # WHAT WRONG...
	local what=$1
	shift
	n=$((n + 1))
	if [ $# = 0 ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		printf '# %s\n' "$@"
	fi
}

# What TAB after this line offers, a word a line, as whole words.
complete_line() {
	local cur
	COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() COMPREPLY=()
	_vectl
	cur=${1##* }
	for word in "${COMPREPLY[@]}"; do
		if [[ $cur == *=* ]]; then
			printf '%s=%s\n' "${cur%=*}" "$word"
		else
			printf '%s\n' "$word"
		fi
	done
}
offers() { # LINE WORD: whether it is one of those that are offered
	complete_line "$1" | grep -qxF -- "$2"
}

verbs=$(vectl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
wrong=() count=0
offered=$(complete_line 'vectl ')
for verb in $verbs; do
	count=$((count + 1))
	grep -qxF "$verb" <<<"$offered" || wrong+=("$verb is not offered")
	offers "vectl ${verb:0:3}" "$verb" || wrong+=("$verb is not offered after ${verb:0:3}")
done
[ "$count" -ge 20 ] || wrong+=("only $count verbs")
result 'each verb is completed' "${wrong[@]}"

wrong=() count=0
for verb in $verbs; do
	offered=$(complete_line "vectl $verb --")
	actions=$(vectl help --verbs | sed -n "s/^$verb \([a-z]*\)\t.*/\1/p")
	for action in $actions; do
		offers "vectl $verb " "$action" || wrong+=("$verb: $action is not offered")
	done
	# What follows "Example:" may be a guest's.
	for option in $(vectl help "$verb" | sed '/^Example:/d' | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
		count=$((count + 1))
		grep -qxF -- "$option" <<<"$offered" && continue
		found=''
		for action in $actions; do
			! offers "vectl $verb $action --" "$option" || found=1
		done
		[ -n "$found" ] || wrong+=("vectl $verb $option")
	done
done
[ "$count" -ge 30 ] || wrong+=("only $count options")
result 'each option of each verb is completed' "${wrong[@]}"

wrong=() count=0
while IFS=$'\t' read -r key type change words; do
	name=x
	[[ $key != hugetlb.* ]] || name=2M
	path=${key/\*/$name}
	case $change in
	live | next)
		count=$((count + 1))
		if [[ $key == *'*' ]]; then
			offers "vectl set web1 ${key:0:2}" "${key%\*}" || wrong+=("$key: its group is not offered")
		else
			offers "vectl set web1 ${path%.*}${path:+}" "$path=" || offers "vectl set web1 ${path%.*}." "$path=" ||
				wrong+=("$key is not offered")
		fi
		[[ $type != bool ]] || words='true|false'
		for word in ${words//|/ }; do
			offers "vectl set web1 $path=" "$path=$word" || wrong+=("$key=$word")
			offers "vectl create web2 --set $path=${word:0:2}" "$path=$word" || wrong+=("create --set $key=$word")
		done
		;;
	*)
		! offers "vectl set web1 ${path:0:4}" "$path=" || wrong+=("$key is offered, and is $change")
		;;
	esac
	offers "vectl help ${key:0:4}" "$key" || wrong+=("help $key")
done < <(vectl help --keys)
[ "$count" -ge 20 ] || wrong+=("only $count keys")
result 'each key that can be set is completed, with its words' "${wrong[@]}"

wrong=()
folder=$(mktemp -d) && touch "$folder/spec.json" && mkdir "$folder/sub"
offers "vectl create x --config $folder/sp" "$folder/spec.json" || wrong+=('a file after --config')
offers "vectl create x --config=$folder/sp" "--config=$folder/spec.json" || wrong+=('a file after --config=')
offers "vectl --root $folder/s" "$folder/sub" || wrong+=('a folder after --root')
offers 'vectl create x --image deb' debian/13 || wrong+=('an image that a template makes')
offers 'vectl start --wait=re' '--wait=ready' || wrong+=('--wait=ready')
offers 'vectl start --wait re' ready || wrong+=('--wait ready')
offers 'vectl list --state ru' running || wrong+=('--state running')
offers 'vectl --json --root /x lis' list || wrong+=('a verb after global options')
offers "vectl image import x $folder/sp" "$folder/spec.json" || wrong+=('a file after image import NAME')
[ -z "$(complete_line 'vectl exec x -- ls --')" ] || wrong+=('words of somebody else after --')
[ -z "$(complete_line 'vectl rename x ')" ] || wrong+=('a new name')
rm -r "$folder"
result 'files, images and words of options are completed' "${wrong[@]}"
echo "1..$n"
