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
	if [[ $cur == -* ]]; then
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
