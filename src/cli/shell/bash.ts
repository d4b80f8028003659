/** The function for bash. How it works, and why so, is in docs/scripting.md. */
import { shell, withProgram } from "./code.ts";

/** Code to be evaluated by bash 4.4 or later. */
export function bashCode(program: readonly string[]): string {
  return withProgram(CODE, program);
}

const CODE = shell`
# An old bash, or one in posix mode, in which a function cannot have this name, goes on with the command itself.
if [[ ! -o posix ]] && ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then

# What this shell and its subshells know. An array, so that it never gets into the environment of other programs.
#   0        there is all this: a shell that was given the function alone (export -f) has none of it
#   shell    the shell that may begin and end the process, as its PID
#   server   the process, as its PID; empty if there is none
#   request, reply, token   its pipes. Who has taken the token, the one byte in the last of them, may write a request and read the reply
#   around   what counts of the environment and was so when it began
#   busy     a call of this shell has begun and has not ended
#   missed   the subshell that could not use its parent's process once
#   failed   with what around there was no process to be had
[[ ! \${_timmy_bb[*]+known} ]] || _timmy_bb_end
declare -gA _timmy_bb=([0]=known [shell]=$BASHPID [server]= [around]= [busy]= [missed]= [failed]=)

function timmy-bb {
  [[ $- != *x* ]] || { local -; \builtin set +x; } 2>/dev/null
  # Not in another shell that was given this function alone, not in a trap in the middle of a call, and not with a closed stdout.
  if [[ \${_timmy_bb+known} && ! \${_timmy_bb_call-} && -e /dev/fd/1 ]]; then
    local _timmy_bb_call=begun
    local -a _timmy_bb_reply _timmy_bb_traps
    if _timmy_bb_ask "$@"; then
      ((\${#_timmy_bb_reply[@]} == 1)) || _timmy_bb_show || _timmy_bb_reply=(4)
      return "\${_timmy_bb_reply[0]}"
    fi
  fi
  @PROGRAM@ "$@"
}

# What it looks at holds passwords and is in no trace: that goes on when the call has ended. Its variables cannot be a script's own, which may be readonly.

# Leaves exit code, stdout and stderr in _timmy_bb_reply. Fails if nothing has been done and the program is to be run.
function _timmy_bb_ask {
  local _timmy_bb_around='' _timmy_bb_words="$*" _timmy_bb_terminals=''
  # In no encoding are that more bytes than a pipe takes at once.
  ((\${#_timmy_bb_words} < 8000)) || return 1
  _timmy_bb_look
  _timmy_bb_take || { _timmy_bb_start && _timmy_bb_take; } || return 1
  [[ -t 0 ]] && _timmy_bb_terminals+=0
  [[ -t 1 ]] && _timmy_bb_terminals+=1
  [[ -t 2 ]] && _timmy_bb_terminals+=2
  \builtin printf '%s\0' "$_timmy_bb_terminals" "$#" "$@" >&"\${_timmy_bb[request]}"
  _timmy_bb_hear
  \builtin printf t >&"\${_timmy_bb[token]}"
  _timmy_bb[busy]=
  [[ \${_timmy_bb_reply[0]} != '!' ]]
}

# What the process has seen when it began and the program would see now. Whether a variable is exported counts, too.
function _timmy_bb_look {
  local _timmy_bb_name
  _timmy_bb_around="\${PWD-} \${HOME+\${HOME@A}} \${XDG_CONFIG_HOME+\${XDG_CONFIG_HOME@A}} \${XDG_STATE_HOME+\${XDG_STATE_HOME@A}}"
  _timmy_bb_around+=" \${NO_COLOR+\${NO_COLOR@A}} \${FORCE_COLOR+\${FORCE_COLOR@A}} \${TERM+\${TERM@A}}"
  for _timmy_bb_name in "\${!TIMMY_BB_@}"; do _timmy_bb_around+=" \${!_timmy_bb_name+\${!_timmy_bb_name@A}}"; done
  [[ ! -e config.yaml ]] || _timmy_bb_around+=/config.yaml
}

# Fails if there is no process that fits, or somebody else has the token, or had it and was killed. So it does if the process has ended,
# or a file of the user's own is open under a number of ours (\`exec 12> file\`).
function _timmy_bb_take {
  local _timmy_bb_byte='' _timmy_bb_open=/proc/\${_timmy_bb[server]}/fd
  [ "\${_timmy_bb[server]:+\${_timmy_bb[around]}}" = "$_timmy_bb_around" ] && [[ ! \${_timmy_bb[busy]} ]] || return 1
  if [[ $_timmy_bb_open/3 -ef /dev/fd/\${_timmy_bb[token]} ]] &&
    \builtin read -r -N 1 -t 0.2 -u "\${_timmy_bb[token]}" _timmy_bb_byte; then
    _timmy_bb[busy]=yes
    [[ $_timmy_bb_open/0 -ef /dev/fd/\${_timmy_bb[request]} && $_timmy_bb_open/1 -ef /dev/fd/\${_timmy_bb[reply]} ]] && return 0
    \builtin printf t >&"\${_timmy_bb[token]}"
    _timmy_bb[busy]=
  fi
  _timmy_bb[around]=
  return 1
}

# Reads one reply, as bytes.
function _timmy_bb_hear {
  local -a _timmy_bb_fields
  local _timmy_bb_from=\${_timmy_bb[reply]} _timmy_bb_first='' _timmy_bb_stopped=''
  until \builtin read -r -N 1 -t 2 -u "$_timmy_bb_from" _timmy_bb_first; do
    (($? > 128)) || break
    _timmy_bb_check
  done
  \builtin mapfile -t -d '' -n 1 -u "$_timmy_bb_from" _timmy_bb_reply
  _timmy_bb_reply=("$_timmy_bb_first\${_timmy_bb_reply-}")
  case $_timmy_bb_reply in
    *[0-9!]) return 0 ;;
    *oe) \builtin mapfile -t -d '' -n 2 -u "$_timmy_bb_from" _timmy_bb_fields && \builtin set -- "\${_timmy_bb_fields[@]}" ;;
    *o) \builtin mapfile -t -d '' -n 1 -u "$_timmy_bb_from" _timmy_bb_fields && \builtin set -- "\${_timmy_bb_fields[@]}" '' ;;
    *e) \builtin mapfile -t -d '' -n 1 -u "$_timmy_bb_from" _timmy_bb_fields && \builtin set -- '' "\${_timmy_bb_fields[@]}" ;;
  esac
  if (($# != 2)) || \builtin read -t 0 -u "$_timmy_bb_from"; then
    _timmy_bb_reply=(4 '' $'timmy-bb: the process behind this function has ended in the middle of the call, so the outcome is unknown\n')
  else
    _timmy_bb_reply=("\${_timmy_bb_reply%%[oe]*}" "$@")
    [[ -p /dev/fd/1 || -S /dev/fd/1 || -p /dev/fd/2 || -S /dev/fd/2 ]] && _timmy_bb_learn
  fi
  return 0
}

# A process that is stopped would never answer, and do the work when nobody thinks of it any more: it is ended. If it was stopped together
# with this shell, it may still be so at the first look, but not 2 s later.
function _timmy_bb_check {
  local -a _timmy_bb_state=()
  { \builtin mapfile -t -n 1 _timmy_bb_state <"/proc/\${_timmy_bb[server]}/stat"; } 2>/dev/null || :
  case \${_timmy_bb_state[*]##*') '} in
    [Tt]*) _timmy_bb_stopped+=T ;;
    *) _timmy_bb_stopped= ;;
  esac
  [[ $_timmy_bb_stopped != TT ]] || \builtin kill -KILL "\${_timmy_bb[server]}" 2>/dev/null || :
}

# The user's trap for SIGPIPE. There is no other way to it without a fork than through a pipe, and this one is empty and ours now.
function _timmy_bb_learn {
  _timmy_bb_traps=(unknown)
  { \builtin trap -p PIPE && \builtin printf '\0'; } 2>/dev/null >"/proc/\${_timmy_bb[server]}/fd/1" || return 0
  \builtin mapfile -t -d '' -n 1 -u "\${_timmy_bb[reply]}" _timmy_bb_traps
}

# A reader who is gone (\`| head\`) is no error and must not end this shell.
function _timmy_bb_show {
  case \${_timmy_bb_traps-direct} in
    direct) _timmy_bb_write ;;
    '')
      \builtin trap '' PIPE
      _timmy_bb_write
      \builtin trap - PIPE
      ;;
    *) (\builtin trap '' PIPE && _timmy_bb_write && \builtin exit "\${_timmy_bb_reply[0]}") || _timmy_bb_reply[0]=$? ;;
  esac
  return 0
}

function _timmy_bb_write {
  if [[ \${_timmy_bb_reply[2]-} ]]; then \builtin printf '%s' "\${_timmy_bb_reply[2]}" >&2 || :; fi
  if [[ ! \${_timmy_bb_reply[1]-} ]] || \builtin printf '%s' "\${_timmy_bb_reply[1]}" 2>/dev/null; then return 0; fi
  if [[ -p /dev/fd/1 || -S /dev/fd/1 ]]; then
    _timmy_bb_reply[0]=0
  else
    _timmy_bb_reply[0]=4
    \builtin printf 'timmy-bb: cannot write the output\n' >&2 || :
  fi
  return 0
}

# Begins a process and opens its pipes. A subshell may be there for one call only, so it does that at its second.
function _timmy_bb_start {
  if [[ \${_timmy_bb[shell]} != "$BASHPID" && \${_timmy_bb[missed]} != "$BASHPID" ]]; then
    _timmy_bb[missed]=$BASHPID
    return 1
  fi
  [ "\${_timmy_bb[failed]}" != "$_timmy_bb_around" ] || return 1
  _timmy_bb_end
  local _timmy_bb_shell=$BASHPID _timmy_bb_server _timmy_bb_request _timmy_bb_from _timmy_bb_token _timmy_bb_answer=''
  _timmy_bb_server=$(_timmy_bb_launch "$_timmy_bb_shell") || :
  _timmy_bb_server=\${_timmy_bb_server##*[!0-9]}
  if [[ -p /proc/$_timmy_bb_server/fd/0 && -p /proc/$_timmy_bb_server/fd/1 && -p /proc/$_timmy_bb_server/fd/3 ]] &&
    { \command exec {_timmy_bb_request}<>"/proc/$_timmy_bb_server/fd/0" {_timmy_bb_from}<"/proc/$_timmy_bb_server/fd/1" {_timmy_bb_token}<>"/proc/$_timmy_bb_server/fd/3"; } 2>/dev/null; then
    _timmy_bb+=([shell]=$_timmy_bb_shell [server]=$_timmy_bb_server [request]=$_timmy_bb_request [reply]=$_timmy_bb_from [token]=$_timmy_bb_token)
    \builtin printf t >&"$_timmy_bb_token"
    # It is there when it answers; a call that is always left to the program does nothing.
    \builtin printf '%s\0' '' 1 --version >&"$_timmy_bb_request"
    if \builtin read -r -t 10 -d '' -u "$_timmy_bb_from" _timmy_bb_answer; then
      \builtin printf t >&"$_timmy_bb_token"
      _timmy_bb[around]=$_timmy_bb_around
      return 0
    fi
    _timmy_bb_end
  fi
  _timmy_bb[failed]=$_timmy_bb_around
  return 1
}

# Prints the PID of a process that has three pipes. Runs as a subshell, which has options, jobs, traps and a $! of its own.
function _timmy_bb_launch {
  \builtin trap - DEBUG ERR RETURN EXIT
  \builtin set +efu
  \exec 2>/dev/null
  local GLOBIGNORE='' _timmy_bb_name _timmy_bb_request _timmy_bb_from _timmy_bb_token _timmy_bb_answer
  # What it held open would seem to be in use: a lock, a pipe that somebody reads to its end. 255 is where bash reads the script.
  for _timmy_bb_name in "/proc/$BASHPID/fd/"*; do
    _timmy_bb_name=\${_timmy_bb_name##*/}
    ((_timmy_bb_name < 3 || _timmy_bb_name == 255)) || \builtin eval "exec $_timmy_bb_name>&-"
  done
  \exec {_timmy_bb_answer}>&1 {_timmy_bb_request}<> <(:) {_timmy_bb_from}<> <(:) {_timmy_bb_token}<> <(:)
  \exec 0<&"$_timmy_bb_request" 1>&"$_timmy_bb_from" 3<&"$_timmy_bb_token" {_timmy_bb_request}>&- {_timmy_bb_from}>&- {_timmy_bb_token}>&-
  {
    # When its pipes are open in the shell, too, it lets go of the end that it shall not have: its input shall end with the last who can write.
    \exec {_timmy_bb_answer}>&-
    \builtin read -r -N 1 -t 10 -u 3 _timmy_bb_token || exit 1
    \exec 0</dev/fd/0
    \exec @PROGRAM@ batch --frames --shell "$1"
  } <&0 &
  \builtin printf %s "$!" >&"$_timmy_bb_answer"
}

# Lets go of the process, and ends it if it is this shell's own.
function _timmy_bb_end {
  [[ $- != *x* ]] || { local -; \builtin set +x; } 2>/dev/null
  local _timmy_bb_server=\${_timmy_bb[server]} _timmy_bb_open=/proc/\${_timmy_bb[server]}/fd _timmy_bb_name _timmy_bb_fd _timmy_bb_byte
  local -A _timmy_bb_ours=()
  [[ $_timmy_bb_server ]] || return 0
  # What is open under our numbers may be the user's by now. If the process is gone, all that can be told is whether it is a pipe.
  for _timmy_bb_name in request/0 reply/1 token/3; do
    _timmy_bb_fd=\${_timmy_bb[\${_timmy_bb_name%/*}]}
    if [[ $_timmy_bb_open/\${_timmy_bb_name#*/} -ef /dev/fd/$_timmy_bb_fd || (! -e $_timmy_bb_open/0 && -p /dev/fd/$_timmy_bb_fd) ]]; then
      _timmy_bb_ours[\${_timmy_bb_name%/*}]=$_timmy_bb_fd
    fi
  done
  # Nobody else's call is under way if the token is ours, be it from a call that was broken off. Else it ends when nobody can ask it any more.
  if [[ \${_timmy_bb[shell]} == "$BASHPID" && -e $_timmy_bb_open/0 && \${_timmy_bb_ours[request]-} && \${_timmy_bb_ours[token]-} ]] &&
    [[ \${_timmy_bb[busy]} || \${_timmy_bb[around]} ]] &&
    { [[ \${_timmy_bb[busy]} ]] || \builtin read -r -N 1 -t 0.2 -u "\${_timmy_bb_ours[token]}" _timmy_bb_byte; }; then
    \builtin kill "$_timmy_bb_server" 2>/dev/null || :
  fi
  for _timmy_bb_fd in "\${_timmy_bb_ours[@]}"; do \exec {_timmy_bb_fd}>&-; done
  _timmy_bb[server]= _timmy_bb[busy]=
}

# A script is served by one process from here on, also where it calls from subshells only; a person at a terminal from the first call on.
function _timmy_bb_begin {
  [[ $- != *x* ]] || { local -; \builtin set +x; } 2>/dev/null
  local _timmy_bb_around=''
  _timmy_bb_look
  _timmy_bb_start || :
}
[[ $- == *i* ]] || _timmy_bb_begin
unset -f _timmy_bb_begin

fi
`;
