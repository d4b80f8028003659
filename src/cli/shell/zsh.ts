/** The function for zsh. How it works, and why so, is in docs/scripting.md. */
import { shell, withProgram } from "./code.ts";

/** Code to be evaluated by zsh 5.8 or later. */
export function zshCode(program: readonly string[]): string {
  return withProgram(CODE, program);
}

const CODE = shell`
# A zsh without these modules goes on with the command itself.
if zmodload zsh/system zsh/parameter; then

# What this shell and its subshells know. An association, so that it never gets into the environment of other programs.
#   shell    the shell that may begin and end the process, as its PID
#   server   the process, as its PID; empty if there is none
#   request, reply, token   its pipes. Who has taken the token, the one byte in the last of them, may write a request and read the reply
#   around   what counts of the environment and was so when it began
#   busy     a call of this shell has begun and has not ended
#   missed   the subshell that could not use its parent's process once
#   failed   with what around there was no process to be had
(( ! \${+_timmy_bb} )) || _timmy_bb_end
typeset -gA _timmy_bb
_timmy_bb=(shell $sysparams[pid] server '' around '' busy '' missed '' failed '')

function timmy-bb {
  \builtin emulate -L zsh
  setopt no_xtrace no_multibyte no_monitor no_bg_nice no_notify
  # Not in a trap in the middle of a call, and not with a closed stdout.
  if [[ -z \${_timmy_bb_call-} && -e /dev/fd/1 ]]; then
    local -a _timmy_bb_call=(begun) _timmy_bb_reply=()
    if _timmy_bb_ask "$@"; then
      _timmy_bb_show
      return $_timmy_bb_reply[1]
    fi
  fi
  @PROGRAM@ "$@"
}

# What it looks at holds passwords and is in no trace: that goes on when the call has ended. Its variables cannot be a script's own, which may be readonly.

# Leaves exit code, stdout and stderr in _timmy_bb_reply. Fails if nothing has been done and the program is to be run.
function _timmy_bb_ask {
  local _timmy_bb_around='' _timmy_bb_words="\${(j: :)@}" _timmy_bb_terminals=''
  # More than a pipe takes at once; and no program gets a NUL.
  (( $#_timmy_bb_words < 32000 )) && [[ $_timmy_bb_words != *$'\0'* ]] || return 1
  _timmy_bb_look
  _timmy_bb_take || { _timmy_bb_start && _timmy_bb_take } || return 1
  [[ -t 0 ]] && _timmy_bb_terminals+=0
  [[ -t 1 ]] && _timmy_bb_terminals+=1
  [[ -t 2 ]] && _timmy_bb_terminals+=2
  print -rN -u $_timmy_bb[request] -- "$_timmy_bb_terminals" $# "$@"
  _timmy_bb_hear
  print -rn -u $_timmy_bb[token] -- t
  _timmy_bb[busy]=''
  [[ $_timmy_bb_reply[1] != '!' ]]
}

# What the process has seen when it began and the program would see now.
function _timmy_bb_look {
  local _timmy_bb_name
  _timmy_bb_around=$PWD
  [[ -e config.yaml ]] && _timmy_bb_around+=/config.yaml
  for _timmy_bb_name in HOME XDG_CONFIG_HOME XDG_STATE_HOME NO_COLOR FORCE_COLOR TERM \${(ok)parameters[(I)TIMMY_BB_*]}; do
    [[ -v $_timmy_bb_name ]] && _timmy_bb_around+=" $_timmy_bb_name \${(Pt)_timmy_bb_name} \${(qP)_timmy_bb_name}"
  done
  return 0
}

# Fails if there is no process that fits, or somebody else has the token, or had it and was killed. So it does if the process has ended,
# or a file of the user's own is open under a number of ours (\`exec 12> file\`).
function _timmy_bb_take {
  local _timmy_bb_byte='' _timmy_bb_open=/proc/$_timmy_bb[server]/fd
  [[ -n $_timmy_bb[server] && $_timmy_bb[around] == "$_timmy_bb_around" && -z $_timmy_bb[busy] ]] || return 1
  if [[ $_timmy_bb_open/3 -ef /dev/fd/$_timmy_bb[token] ]] && sysread -i $_timmy_bb[token] -s 1 -t 0.2 _timmy_bb_byte; then
    _timmy_bb[busy]=yes
    [[ $_timmy_bb_open/0 -ef /dev/fd/$_timmy_bb[request] && $_timmy_bb_open/1 -ef /dev/fd/$_timmy_bb[reply] ]] && return 0
    print -rn -u $_timmy_bb[token] -- t
    _timmy_bb[busy]=''
  fi
  _timmy_bb[around]=''
  return 1
}

# Reads one reply, as bytes.
function _timmy_bb_hear {
  local _timmy_bb_chunk='' _timmy_bb_all='' _timmy_bb_missing=1 _timmy_bb_stopped=''
  while (( _timmy_bb_missing > 0 )); do
    sysread -i $_timmy_bb[reply] -s 65536 -t 2 _timmy_bb_chunk
    case $? in
      0) ;;
      4) _timmy_bb_check; continue ;;
      *) break ;;
    esac
    _timmy_bb_all+=$_timmy_bb_chunk
    _timmy_bb_reply=("\${(@0)_timmy_bb_all}")
    case $_timmy_bb_reply[1] in
      *oe) _timmy_bb_missing=$(( 4 - $#_timmy_bb_reply )) ;;
      *[oe]) _timmy_bb_missing=$(( 3 - $#_timmy_bb_reply )) ;;
      *) _timmy_bb_missing=$(( 2 - $#_timmy_bb_reply )) ;;
    esac
  done
  if (( _timmy_bb_missing > 0 )); then
    _timmy_bb_reply=(4 '' $'timmy-bb: the process behind this function has ended in the middle of the call, so the outcome is unknown\n')
    return 0
  fi
  case $_timmy_bb_reply[1] in
    *oe) _timmy_bb_reply=("\${_timmy_bb_reply[1]%oe}" "\${(@)_timmy_bb_reply[2,3]}") ;;
    *o) _timmy_bb_reply=("\${_timmy_bb_reply[1]%o}" "$_timmy_bb_reply[2]" '') ;;
    *e) _timmy_bb_reply=("\${_timmy_bb_reply[1]%e}" '' "$_timmy_bb_reply[2]") ;;
    *) _timmy_bb_reply=("$_timmy_bb_reply[1]" '' '') ;;
  esac
}

# A process that is stopped would never answer, and do the work when nobody thinks of it any more: it is ended. If it was stopped together
# with this shell, it may still be so at the first look, but not 2 s later.
function _timmy_bb_check {
  local _timmy_bb_state=''
  { _timmy_bb_state=$(</proc/$_timmy_bb[server]/stat) } 2>/dev/null
  case \${_timmy_bb_state##*') '} in
    [Tt]*) _timmy_bb_stopped+=T ;;
    *) _timmy_bb_stopped='' ;;
  esac
  [[ $_timmy_bb_stopped != TT ]] || kill -KILL $_timmy_bb[server] 2>/dev/null
}

# A reader who is gone (\`| head\`) is no error and must not end this shell. The user's trap is back when the call has ended.
function _timmy_bb_show {
  [[ -z $_timmy_bb_reply[2]$_timmy_bb_reply[3] ]] && return 0
  trap '' PIPE
  [[ -z $_timmy_bb_reply[3] ]] || syswrite -o 2 -- "$_timmy_bb_reply[3]"
  [[ -z $_timmy_bb_reply[2] ]] || syswrite -o 1 -- "$_timmy_bb_reply[2]" && return 0
  if [[ -p /dev/fd/1 || -S /dev/fd/1 ]]; then
    _timmy_bb_reply[1]=0
  else
    _timmy_bb_reply[1]=4
    print -ru2 -- "timmy-bb: cannot write the output"
  fi
}

# Begins a process and opens its pipes. A subshell may be there for one call only, so it does that at its second.
function _timmy_bb_start {
  local _timmy_bb_shell=$sysparams[pid] _timmy_bb_server _timmy_bb_request _timmy_bb_from _timmy_bb_token _timmy_bb_answer=''
  if [[ $_timmy_bb[shell] != $_timmy_bb_shell && $_timmy_bb[missed] != $_timmy_bb_shell ]]; then
    _timmy_bb[missed]=$_timmy_bb_shell
    return 1
  fi
  [[ $_timmy_bb[failed] != "$_timmy_bb_around" ]] || return 1
  _timmy_bb_end
  _timmy_bb_server=$(_timmy_bb_launch $_timmy_bb_shell) || :
  if [[ -p /proc/$_timmy_bb_server/fd/0 && -p /proc/$_timmy_bb_server/fd/1 && -p /proc/$_timmy_bb_server/fd/3 ]] &&
    { exec {_timmy_bb_request}<>/proc/$_timmy_bb_server/fd/0 {_timmy_bb_from}</proc/$_timmy_bb_server/fd/1 {_timmy_bb_token}<>/proc/$_timmy_bb_server/fd/3 } 2>/dev/null; then
    _timmy_bb+=(shell $_timmy_bb_shell server $_timmy_bb_server request $_timmy_bb_request reply $_timmy_bb_from token $_timmy_bb_token)
    print -rn -u $_timmy_bb_token -- t
    # It is there when it answers; a call that is always left to the program does nothing.
    print -rN -u $_timmy_bb_request -- '' 1 --version
    if sysread -i $_timmy_bb_from -t 10 _timmy_bb_answer; then
      print -rn -u $_timmy_bb_token -- t
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
  exec 2>/dev/null
  local _timmy_bb_name _timmy_bb_request _timmy_bb_from _timmy_bb_token _timmy_bb_answer
  # What it held open would seem to be in use: a lock, a pipe that somebody reads to its end. Zsh keeps what is its own.
  for _timmy_bb_name in /proc/$sysparams[pid]/fd/*(N:t); do
    (( _timmy_bb_name < 3 )) || { exec {_timmy_bb_name}>&- } || :
  done
  exec {_timmy_bb_answer}>&1
  () { exec {_timmy_bb_request}<>$1 {_timmy_bb_from}<>$2 {_timmy_bb_token}<>$3 } <(:) <(:) <(:)
  exec 0<&$_timmy_bb_request 1>&$_timmy_bb_from 3<&$_timmy_bb_token {_timmy_bb_request}>&- {_timmy_bb_from}>&- {_timmy_bb_token}>&-
  {
    # When its pipes are open in the shell, too, it lets go of the end that it shall not have: its input shall end with the last who can write.
    exec {_timmy_bb_answer}>&-
    sysread -i 3 -s 1 -t 10 _timmy_bb_answer || exit 1
    () { exec 0<$1 } /dev/fd/0
    exec @PROGRAM@ batch --frames --shell $1
  } <&0 &
  print -rn -u $_timmy_bb_answer -- $!
}

# Lets go of the process, and ends it if it is this shell's own.
function _timmy_bb_end {
  emulate -L zsh
  setopt no_xtrace
  local _timmy_bb_open=/proc/$_timmy_bb[server]/fd _timmy_bb_name _timmy_bb_fd _timmy_bb_byte
  local -A _timmy_bb_ours
  [[ -n $_timmy_bb[server] ]] || return 0
  # What is open under our numbers may be the user's by now. If the process is gone, all that can be told is whether it is a pipe.
  for _timmy_bb_name in request/0 reply/1 token/3; do
    _timmy_bb_fd=$_timmy_bb[\${_timmy_bb_name%/*}]
    if [[ $_timmy_bb_open/\${_timmy_bb_name#*/} -ef /dev/fd/$_timmy_bb_fd || ( ! -e $_timmy_bb_open/0 && -p /dev/fd/$_timmy_bb_fd ) ]]; then
      _timmy_bb_ours[\${_timmy_bb_name%/*}]=$_timmy_bb_fd
    fi
  done
  # Nobody else's call is under way if the token is ours, be it from a call that was broken off. Else it ends when nobody can ask it any more.
  if [[ $_timmy_bb[shell] == $sysparams[pid] && -e $_timmy_bb_open/0 && -n $_timmy_bb_ours[request] && -n $_timmy_bb_ours[token] ]] &&
    [[ -n $_timmy_bb[busy]$_timmy_bb[around] ]] &&
    { [[ -n $_timmy_bb[busy] ]] || sysread -i $_timmy_bb_ours[token] -s 1 -t 0.2 _timmy_bb_byte }; then
    kill $_timmy_bb[server]
  fi
  for _timmy_bb_fd in $_timmy_bb_ours; do exec {_timmy_bb_fd}>&-; done
  _timmy_bb[server]='' _timmy_bb[busy]=''
  return 0
} 2>/dev/null

# A script is served by one process from here on, also where it calls from subshells only; a person at a terminal from the first call on.
function _timmy_bb_begin {
  emulate -L zsh
  setopt no_xtrace no_monitor no_bg_nice no_notify
  local _timmy_bb_around=''
  _timmy_bb_look
  _timmy_bb_start || :
}
[[ -o interactive ]] || _timmy_bb_begin
unfunction _timmy_bb_begin

fi
`;
