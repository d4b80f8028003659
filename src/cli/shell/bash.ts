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
#   shell    the shell that may begin and end the process, as its PID
#   server   the process, as its PID; empty if there is none
#   request, reply, token   its pipes. Who has taken the token, the one byte in the last of them, may write a request and read the reply
#   around   what counts of the environment and was so when it began
#   busy     a call of this shell has begun and has not ended
#   missed   the subshell that could not use its parent's process once
#   failed   with what around there was no process to be had
[[ ! \${_timmy_bb[*]+known} ]] || _timmy_bb_end
declare -gA _timmy_bb=([shell]=$BASHPID [server]= [around]= [busy]= [missed]= [failed]=)

function timmy-bb {
  # Not in another shell that was given this function alone, not in a trap in the middle of a call, and not with a closed stdout.
  if [[ \${_timmy_bb[*]+known} && ! \${_timmy_bb_call-} && -e /dev/fd/1 ]]; then
    local -a _timmy_bb_call=(begun) _timmy_bb_reply=() _timmy_bb_traps=()
    if _timmy_bb_ask "$@"; then
      _timmy_bb_show || _timmy_bb_reply=(4)
      return "\${_timmy_bb_reply[0]}"
    fi
  fi
  @PROGRAM@ "$@"
}

# Leaves exit code, stdout and stderr in _timmy_bb_reply. Fails if nothing has been done and the program is to be run.
function _timmy_bb_ask {
  local _timmy_bb_around='' words="$*" terminals=''
  # In no encoding are that more bytes than a pipe takes at once.
  ((\${#words} < 8000)) || return 1
  _timmy_bb_look
  _timmy_bb_take || { _timmy_bb_start && _timmy_bb_take; } || return 1
  [[ -t 0 ]] && terminals+=0
  [[ -t 1 ]] && terminals+=1
  [[ -t 2 ]] && terminals+=2
  \builtin printf '%s\0' "$terminals" $# "$@" >&"\${_timmy_bb[request]}"
  _timmy_bb_hear
  \builtin printf t >&"\${_timmy_bb[token]}"
  _timmy_bb[busy]=
  [[ \${_timmy_bb_reply[0]} != '!' ]]
}

# What the process has seen when it began and the program would see now.
function _timmy_bb_look {
  local name
  _timmy_bb_around=$PWD
  [[ -e config.yaml ]] && _timmy_bb_around+=/config.yaml
  for name in HOME XDG_CONFIG_HOME XDG_STATE_HOME NO_COLOR FORCE_COLOR TERM "\${!TIMMY_BB_@}"; do
    [[ -v $name ]] && _timmy_bb_around+=" \${!name@A}"
  done
  return 0
}

# Fails if there is no process that fits, or somebody else has the token, or had it and was killed.
function _timmy_bb_take {
  local token=''
  [ "\${_timmy_bb[server]:+\${_timmy_bb[around]}}" = "$_timmy_bb_around" ] && [[ ! \${_timmy_bb[busy]} ]] || return 1
  if \builtin read -r -N 1 -t 0.2 -u "\${_timmy_bb[token]}" token 2>/dev/null; then
    _timmy_bb[busy]=yes
    # What can be read there before anything was asked is the end.
    \builtin read -t 0 -u "\${_timmy_bb[reply]}" || return 0
    \builtin printf t >&"\${_timmy_bb[token]}"
    _timmy_bb[busy]=
  fi
  _timmy_bb[around]=
  return 1
}

# Reads one reply, as bytes.
function _timmy_bb_hear {
  local -a fields=()
  local reply=\${_timmy_bb[reply]}
  \builtin mapfile -t -d '' -n 1 -u "$reply" _timmy_bb_reply
  case \${_timmy_bb_reply-} in
    *[0-9!]) return 0 ;;
    *oe) \builtin mapfile -t -d '' -n 2 -u "$reply" fields && \builtin set -- "\${fields[@]}" ;;
    *o) \builtin mapfile -t -d '' -n 1 -u "$reply" fields && \builtin set -- "\${fields[@]}" '' ;;
    *e) \builtin mapfile -t -d '' -n 1 -u "$reply" fields && \builtin set -- '' "\${fields[@]}" ;;
  esac
  if (($# != 2)) || \builtin read -t 0 -u "$reply"; then
    _timmy_bb_reply=(4 '' $'timmy-bb: the process behind this function has ended in the middle of the call, so the outcome is unknown\n')
  else
    _timmy_bb_reply=("\${_timmy_bb_reply%%[oe]*}" "$@")
    [[ -p /dev/fd/1 || -S /dev/fd/1 || -p /dev/fd/2 || -S /dev/fd/2 ]] && _timmy_bb_learn
  fi
  return 0
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
  local shell=$BASHPID server request reply token answer=''
  server=$(_timmy_bb_launch "$shell") || :
  server=\${server##*[!0-9]}
  if [[ -p /proc/$server/fd/0 && -p /proc/$server/fd/1 && -p /proc/$server/fd/3 ]] &&
    { \command exec {request}<>"/proc/$server/fd/0" {reply}<"/proc/$server/fd/1" {token}<>"/proc/$server/fd/3"; } 2>/dev/null; then
    _timmy_bb+=([shell]=$shell [server]=$server [request]=$request [reply]=$reply [token]=$token)
    \builtin printf t >&"$token"
    # It is there when it answers; a call that is always left to the program does nothing.
    \builtin printf '%s\0' '' 1 --version >&"$request"
    if \builtin read -r -t 10 -d '' -u "$reply" answer; then
      \builtin printf t >&"$token"
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
  local GLOBIGNORE='' descriptor request reply token answer
  # What it held open would seem to be in use: a lock, a pipe that somebody reads to its end. 255 is where bash reads the script.
  for descriptor in "/proc/$BASHPID/fd/"*; do
    descriptor=\${descriptor##*/}
    ((descriptor < 3 || descriptor == 255)) || \builtin eval "exec $descriptor>&-"
  done
  \exec {answer}>&1 {request}<> <(:) {reply}<> <(:) {token}<> <(:)
  \exec 0<&"$request" 1>&"$reply" 3<&"$token" {request}>&- {reply}>&- {token}>&-
  {
    # When its pipes are open in the shell, too, it lets go of the end that it shall not have: its input shall end with the last who can write.
    \exec {answer}>&-
    \builtin read -r -N 1 -t 10 -u 3 answer || exit 1
    \exec 0</dev/fd/0
    \exec @PROGRAM@ batch --frames --shell "$1"
  } <&0 &
  \builtin printf %s $! >&"$answer"
}

# Lets go of the process, and ends it if it is this shell's own.
function _timmy_bb_end {
  local server=\${_timmy_bb[server]} request=\${_timmy_bb[request]-} reply=\${_timmy_bb[reply]-} token=\${_timmy_bb[token]-} taken
  [[ $server ]] || return 0
  # Nobody else's call is under way if the token is ours, be it from a call that was broken off. Else it ends when nobody can ask it any more.
  if [[ \${_timmy_bb[shell]} == "$BASHPID" && "/proc/$server/fd/0" -ef "/dev/fd/$request" ]] &&
    [[ \${_timmy_bb[busy]} || \${_timmy_bb[around]} ]] &&
    { [[ \${_timmy_bb[busy]} ]] || \builtin read -r -N 1 -t 0.2 -u "$token" taken; }; then
    \builtin kill "$server" 2>/dev/null || :
  fi
  \exec {request}>&- {reply}<&- {token}>&-
  _timmy_bb[server]= _timmy_bb[busy]=
}

# A script is served by one process from here on, also where it calls from subshells only; a person at a terminal from the first call on.
function _timmy_bb_begin {
  local _timmy_bb_around=''
  _timmy_bb_look
  _timmy_bb_start || :
}
[[ $- == *i* ]] || _timmy_bb_begin
unset -f _timmy_bb_begin

fi
`;
