# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2086 # lists of words are parted on purpose
#
# Completion of cimtool and cimfs-mount for bash. Made by cimfs_shim/man/completions.py.

# _cim_table "PROGRAM COMMAND": $options as they are offered; $values: "OPTION=KIND" of those with an argument
# ("?=" if it may be missing); $slots: the kinds of each argument, "..." for any number. "A|B" is a list of words.
@TABLE@

# The words up to the cursor as they were typed: bash parts them at "=" and ":".
_cim_split() {
	local i piece glue=
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		if ((i > 1)) && [[ $glue || $piece == [=:]* ]]; then
			words[${#words[@]} - 1]+=$piece
		else
			words+=("$piece")
		fi
		glue=
		[[ $piece != *[=:] ]] || glue=1
	done
	cur=${words[${#words[@]} - 1]}
	[[ $piece != [=:] ]] || piece=
	typed=${cur%"$piece"}
}

_cim_option() { compopt -o "$1" 2>/dev/null; }

# _cim_words LEAD VALUE WORD...: those that begin with VALUE, with LEAD in front
_cim_words() {
	local lead=$1 value=$2 word
	shift 2
	for word; do
		[[ $word == "$value"* ]] || continue
		COMPREPLY+=("$lead$word")
		[[ $word != *[=/] ]] || _cim_option nospace
	done
}

# _cim_files LEAD VALUE ACTION...: files as compgen finds them
_cim_files() {
	local lead=$1 value=$2 file
	shift 2
	_cim_option filenames
	while IFS= read -r file; do
		COMPREPLY+=("$lead$file")
	done < <(compgen "$@" -- "$value")
}

# What is in a directory of the image that is named on the line
_cim_items() { # LEAD VALUE
	local value=$2 letters name image=${arguments[0]-} names=()
	local dir=${value%"${value##*/}"}
	image=${image//\\/}
	while read -r letters _ _ _ name; do
		[[ $letters != *[TMB] ]] || continue # hidden from all but ls
		[[ $letters != *L ]] || name=${name% -> *}
		# A name that ls had to escape can't be typed so.
		[[ $name != . && $name != *\\* ]] || continue
		[[ $letters != D* ]] || name=$name/
		printf -v name %q "$dir$name"
		names+=("$name")
	done < <(cimtool ls -la --color=never -- "${image/#\~/$HOME}" "${dir:-/}" 2>/dev/null)
	_cim_words "$1" "$value" "${names[@]}"
}

_cim_volumes() { # LEAD VALUE
	local line names=()
	while IFS= read -r line; do
		line=${line% (unpacked copy)}
		case $line in
		*' volume '*) names+=("${line##* volume }") ;;
		*' on '*) names+=("$(printf %q "${line##* on }")") ;;
		esac
	done < <(cimtool mounts 2>/dev/null)
	_cim_words "$1" "$2" "${names[@]}"
}

_cim_mount_option() { # LEAD VALUE
	local lead=$1 value=${2##*,} option names=()
	lead=$lead${2%"$value"}
	for option in $_cim_mount_options; do
		if [[ $value == "${option%%=*}="* && $option == *=* ]]; then
			_cim_offer "${option#*=}" "$lead${option%%=*}=" "${value#*=}"
			return
		fi
		[[ $option != *=* ]] || option=${option%%=*}=
		names+=("$option")
	done
	_cim_words "$lead" "$value" "${names[@]}"
}

_cim_offer() { # KIND LEAD VALUE
	local words
	case $1 in
	*'|'*)
		IFS='|' read -ra words <<<"$1"
		_cim_words "$2" "$3" "${words[@]}"
		;;
	image)
		_cim_files "$2" "$3" -f -X '!*.cim'
		_cim_files "$2" "$3" -d
		;;
	file) _cim_files "$2" "$3" -f ;;
	dir) _cim_files "$2" "$3" -d ;;
	item) _cim_items "$2" "$3" ;;
	add)
		if [[ $3 == *:* ]]; then
			_cim_items "$2${3%:*}:" "${3##*:}"
		else
			_cim_option nospace
			_cim_files "$2" "$3" -f
		fi
		;;
	volume) _cim_volumes "$2" "$3" ;;
	mountoption) _cim_mount_option "$2" "$3" ;;
	command) _cim_words "$2" "$3" $_cim_commands ;;
	esac
}

# The kind of an option's argument, in $kind; false: it has none, or with "=" only.
_cim_takes() {
	local value
	for value in $values; do
		kind=${value#*=}
		[[ ${value%%=*} != "$1" ]] || return 0
		[[ ${value%%=*} != "$1?" ]] || return 1
	done
	kind=
	return 1
}

_cim_slot() {
	local list i=${#arguments[@]} kind kinds
	read -ra list <<<"$slots"
	if ((i >= ${#list[@]})); then
		[[ $slots == *... ]] || return
		i=$((${#list[@]} - 1))
	fi
	IFS=+ read -ra kinds <<<"${list[i]%...}"
	for kind in "${kinds[@]}"; do
		_cim_offer "$kind" '' "$cur"
	done
}

_cim() {
	local words cur typed options values slots arguments=() kind='' wanted='' only='' i first=1
	COMPREPLY=()
	_cim_split
	if [[ ${words[0]##*/} == cimtool ]]; then
		first=2
		if ((${#words[@]} == 2)); then
			_cim_words '' "$cur" $_cim_commands --help --version
			return
		fi
		_cim_table "cimtool ${words[1]}" || return
	else
		_cim_table cimfs-mount
	fi
	for ((i = first; i < ${#words[@]} - 1; i++)); do
		if [[ $wanted ]]; then
			wanted=
		elif [[ ! $only && ${words[i]} == -- ]]; then
			only=1
		elif [[ ! $only && ${words[i]} == -?* ]]; then
			! _cim_takes "${words[i]}" || wanted=1
		else
			arguments+=("${words[i]}")
		fi
	done
	if [[ $wanted ]]; then
		_cim_offer "$kind" '' "$cur"
	elif [[ ! $only && $cur == --*=* ]]; then
		_cim_takes "${cur%%=*}"
		_cim_offer "$kind" "${cur%%=*}=" "${cur#*=}"
	elif [[ ! $only && $cur == -* ]]; then
		_cim_words '' "$cur" $options
	else
		_cim_slot
	fi
	# What bash replaces is the last piece alone.
	COMPREPLY=("${COMPREPLY[@]#"$typed"}")
}

complete -F _cim cimtool cimfs-mount
