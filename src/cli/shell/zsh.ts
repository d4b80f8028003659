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
  setopt no_multibyte no_monitor no_bg_nice no_notify
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

# Leaves exit code, stdout and stderr in _timmy_bb_reply. Fails if nothing has been done and the program is to be run.
function _timmy_bb_ask {
  local _timmy_bb_around='' words="\${(j: :)@}" terminals=''
  # More than a pipe takes at once; and no program gets a NUL.
  (( $#words < 32000 )) && [[ $words != *$'\0'* ]] || return 1
  _timmy_bb_look
  _timmy_bb_take || { _timmy_bb_start && _timmy_bb_take } || return 1
  [[ -t 0 ]] && terminals+=0
  [[ -t 1 ]] && terminals+=1
  [[ -t 2 ]] && terminals+=2
  print -rN -u $_timmy_bb[request] -- "$terminals" $# "$@"
  _timmy_bb_hear
  print -rn -u $_timmy_bb[token] -- t
  _timmy_bb[busy]=''
  [[ $_timmy_bb_reply[1] != '!' ]]
}

# What the process has seen when it began and the program would see now.
function _timmy_bb_look {
  local name
  _timmy_bb_around=$PWD
  [[ -e config.yaml ]] && _timmy_bb_around+=/config.yaml
  for name in HOME XDG_CONFIG_HOME XDG_STATE_HOME NO_COLOR FORCE_COLOR TERM \${(ok)parameters[(I)TIMMY_BB_*]}; do
    [[ -v $name ]] && _timmy_bb_around+=" $name \${(Pt)name} \${(qP)name}"
  done
  return 0
}

# Fails if there is no process that fits, or somebody else has the token, or had it and was killed.
function _timmy_bb_take {
  local token=''
  [[ -n $_timmy_bb[server] && $_timmy_bb[around] == "$_timmy_bb_around" && -z $_timmy_bb[busy] ]] || return 1
  if sysread -i $_timmy_bb[token] -s 1 -t 0.2 token; then
    _timmy_bb[busy]=yes
    # What can be read there before anything was asked is the end; 4: nothing can.
    sysread -i $_timmy_bb[reply] -s 1 -t 0 token
    (( $? != 4 )) || return 0
    print -rn -u $_timmy_bb[token] -- t
    _timmy_bb[busy]=''
  fi
  _timmy_bb[around]=''
  return 1
}

# Reads one reply, as bytes.
function _timmy_bb_hear {
  local chunk='' all='' missing=1
  while (( missing > 0 )) && sysread -i $_timmy_bb[reply] -s 65536 chunk; do
    all+=$chunk
    _timmy_bb_reply=("\${(@0)all}")
    case $_timmy_bb_reply[1] in
      *oe) missing=$(( 4 - $#_timmy_bb_reply )) ;;
      *[oe]) missing=$(( 3 - $#_timmy_bb_reply )) ;;
      *) missing=$(( 2 - $#_timmy_bb_reply )) ;;
    esac
  done
  if (( missing > 0 )); then
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
  local shell=$sysparams[pid] server request reply token answer=''
  if [[ $_timmy_bb[shell] != $shell && $_timmy_bb[missed] != $shell ]]; then
    _timmy_bb[missed]=$shell
    return 1
  fi
  [[ $_timmy_bb[failed] != "$_timmy_bb_around" ]] || return 1
  _timmy_bb_end
  server=$(_timmy_bb_launch $shell) || :
  if [[ -p /proc/$server/fd/0 && -p /proc/$server/fd/1 && -p /proc/$server/fd/3 ]] &&
    { exec {request}<>/proc/$server/fd/0 {reply}</proc/$server/fd/1 {token}<>/proc/$server/fd/3 } 2>/dev/null; then
    _timmy_bb+=(shell $shell server $server request $request reply $reply token $token)
    print -rn -u $token -- t
    # It is there when it answers; a call that is always left to the program does nothing.
    print -rN -u $request -- '' 1 --version
    if sysread -i $reply -t 10 answer; then
      print -rn -u $token -- t
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
  local descriptor request reply token answer
  # What it held open would seem to be in use: a lock, a pipe that somebody reads to its end. Zsh keeps what is its own.
  for descriptor in /proc/$sysparams[pid]/fd/*(N:t); do
    (( descriptor < 3 )) || { exec {descriptor}>&- } || :
  done
  exec {answer}>&1
  () { exec {request}<>$1 {reply}<>$2 {token}<>$3 } <(:) <(:) <(:)
  exec 0<&$request 1>&$reply 3<&$token {request}>&- {reply}>&- {token}>&-
  {
    # When its pipes are open in the shell, too, it lets go of the end that it shall not have: its input shall end with the last who can write.
    exec {answer}>&-
    sysread -i 3 -s 1 -t 10 answer || exit 1
    () { exec 0<$1 } /dev/fd/0
    exec @PROGRAM@ batch --frames --shell $1
  } <&0 &
  print -rn -u $answer -- $!
}

# Lets go of the process, and ends it if it is this shell's own.
function _timmy_bb_end {
  local server=$_timmy_bb[server] request=$_timmy_bb[request] reply=$_timmy_bb[reply] token=$_timmy_bb[token] taken
  [[ -n $server ]] || return 0
  # Nobody else's call is under way if the token is ours, be it from a call that was broken off. Else it ends when nobody can ask it any more.
  if [[ $_timmy_bb[shell] == $sysparams[pid] && /proc/$server/fd/0 -ef /dev/fd/$request ]] &&
    [[ -n $_timmy_bb[busy]$_timmy_bb[around] ]] &&
    { [[ -n $_timmy_bb[busy] ]] || sysread -i $token -s 1 -t 0.2 taken }; then
    kill $server
  fi
  exec {request}>&- {reply}<&- {token}>&-
  _timmy_bb[server]='' _timmy_bb[busy]=''
  return 0
} 2>/dev/null

# A script is served by one process from here on, also where it calls from subshells only; a person at a terminal from the first call on.
function _timmy_bb_begin {
  emulate -L zsh
  setopt no_monitor no_bg_nice no_notify
  local _timmy_bb_around=''
  _timmy_bb_look
  _timmy_bb_start || :
}
[[ -o interactive ]] || _timmy_bb_begin
unfunction _timmy_bb_begin

fi
`;
