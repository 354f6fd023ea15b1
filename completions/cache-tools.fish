# SPDX-License-Identifier: GPL-2.0-only
# fish completion for cache-tools: the binary is asked for names and options

function __cache_tools_applet
	set -l words (commandline -opc)
	set -l name (basename -- $words[1])
	if test "$name" = cache-tools
		set name $words[2]
	end
	echo $name
end

function __cache_tools_options
	cache-tools --complete (__cache_tools_applet) 2>/dev/null
end

function __cache_tools_values
	set -l option (string replace -r '=.*' '' -- (commandline -ct))
	for value in (cache-tools --complete (__cache_tools_applet) $option 2>/dev/null)
		# a value, TAB, what it means
		printf '%s=%s\n' $option $value
	end
end

complete -c cache-tools -n 'test (count (commandline -opc)) -eq 1' -a '(cache-tools --complete)'
for name in cache-tools (cache-tools --complete 2>/dev/null)
	complete -c $name -n 'string match -qr -- "^(--[a-z-]+|UUID|LABEL)=" (commandline -ct)' -f -a '(__cache_tools_values)'
	complete -c $name -n 'string match -q -- "-*" (commandline -ct)' -a '(__cache_tools_options)'
end
