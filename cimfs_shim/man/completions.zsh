#compdef cimtool cimfs-mount
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion of cimtool and cimfs-mount for zsh. Made by cimfs_shim/man/completions.py.

local -a _cim_commands _cim_mount_options
@TABLE@

# What is in a directory of the image that is named on the line
_cim_item() {
	local image=${(Q)words[(r)*.cim]} dir=${(Q)PREFIX%${PREFIX##*/}} letters size day hour name
	local -a names dirs
	cimtool ls -la --color=never -- ${~image} ${dir:-/} 2>/dev/null | while read -r letters size day hour name; do
		[[ $letters != *[TMB] ]] || continue # hidden from all but ls
		[[ $letters != *L ]] || name=${name% -> *}
		# A name that ls had to escape can't be typed so.
		[[ $name != . && $name != *\\* ]] || continue
		if [[ $letters = D* ]]; then dirs+=($name); else names+=($name); fi
	done
	compset -P '*/'
	compadd -S / -q -a dirs
	compadd -a names
}

_cim_add() {
	if compset -P '*:'; then _cim_item; else _files -S:; fi
}

_cim_volume() {
	local line
	local -a names
	cimtool mounts 2>/dev/null | while IFS= read -r line; do
		line=${line% \(unpacked copy\)}
		case $line in
		*' volume '*) names+=(${line##* volume }) ;;
		*' on '*) names+=(${line##* on }) ;;
		esac
	done
	compadd -a names
}

# _cim_any KIND...
_cim_any() {
	local kind
	for kind in $@; do
		case $kind in
		*\|*) compadd -- ${(s:|:)kind} ;;
		image) _files -g '*.cim' ;;
		file) _files ;;
		dir) _files -/ ;;
		item) _cim_item ;;
		add) _cim_add ;;
		volume) _cim_volume ;;
		mountoption) _values -s , 'mount option' $_cim_mount_options ;;
		command) _describe command _cim_commands ;;
		esac
	done
}

_cim() {
	local curcontext=$curcontext state line
	typeset -A opt_args
	if [[ $service = cimfs-mount ]]; then
		_cim_arguments cimfs-mount
		return
	fi
	_arguments -C '(- *)--help[tell about cimtool]' '(- *)--version[print the version]' \
		'1:command:->command' '*::argument:->arguments'
	case $state in
	command) _describe command _cim_commands ;;
	arguments) _cim_arguments $words[1] ;;
	esac
}

_cim "$@"
