# SPDX-License-Identifier: GPL-2.0-only
# bash completion for cache-tools: the binary is asked for names and options

_cache_tools() {
	local cur=$2 applet=${1##*/} words
	COMPREPLY=()
	if [[ $applet == cache-tools ]]; then
		if ((COMP_CWORD == 1)); then
			words="$(cache-tools --complete 2>/dev/null) --help --version"
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
			return
		fi
		applet=${COMP_WORDS[1]}
	fi
	# "=" is a word of its own: --cache-mode = w, UUID = 5
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	[[ $cur != = ]] || before='=' cur=
	if [[ $before == = ]]; then
		local option=${COMP_WORDS[COMP_CWORD - 1]}
		[[ $option != = ]] || option=${COMP_WORDS[COMP_CWORD - 2]}
		words=$(cache-tools --complete "$applet" "$option" 2>/dev/null | cut -f1)
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		[[ ${#COMPREPLY[@]} != 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $cur == -* ]]; then
		words=$(cache-tools --complete "$applet" 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	fi
}
# shellcheck disable=SC2046 # one word a name
complete -F _cache_tools cache-tools $(cache-tools --complete 2>/dev/null)
