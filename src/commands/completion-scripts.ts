/**
 * What the shells need: each script asks `rtp-cluster completion words` for what may stand there, so none of them has a
 * list of its own that could grow old.
 */

const BASH = `# Completion of rtp-cluster for bash, made by "rtp-cluster completion bash".
_rtp_cluster() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _rtp_cluster rtp-cluster`;

const ZSH = `#compdef rtp-cluster
# Completion of rtp-cluster for zsh, made by "rtp-cluster completion zsh".
_rtp-cluster() {
  local line
  local -a lines shown
  lines=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  if [[ $lines[1] == :files ]]; then
    _files
    return
  fi
  for line in $lines; do
    if [[ $line == *$'\\t'* ]]; then
      shown+=("\${line%%$'\\t'*}:\${line#*$'\\t'}")
    else
      shown+=("$line")
    fi
  done
  _describe rtp-cluster shown
}
if [[ $funcstack[1] == _rtp-cluster ]]; then
  _rtp-cluster "$@"
else
  compdef _rtp-cluster rtp-cluster
fi`;

const FISH = `# Completion of rtp-cluster for fish, made by "rtp-cluster completion fish".
function __rtp_cluster_words
    set -l words (commandline -opc)
    # As it stands there, with its quotes and backslashes; what it means is wanted.
    set -l current (commandline -ct)
    set current (string unescape -- "$current")
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program completion words -- $words "$current" 2>/dev/null)
    if test "$lines[1]" = :files
        __fish_complete_path "$current"
    else
        printf '%s\\n' $lines
    end
end
complete -c rtp-cluster -f -a '(__rtp_cluster_words)'`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
