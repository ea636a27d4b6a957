// completion: a script for a shell. It asks this program what fits, so that it knows the names in
// the federation too; `kubectl isthmus <TAB>` asks the same through kubectl_complete-isthmus.

import { exitOk, type Command } from '../command.ts';

const shells = ['bash', 'zsh', 'fish'];

export const completion: Command = {
  words: ['completion'],
  summary: 'Prints a completion script for kubectl-isthmus.',
  details: [
    "kubectl's own completion also completes 'kubectl isthmus' when kubectl_complete-isthmus, which " +
      'comes with this program, is on PATH (kubectl 1.26 or newer).',
  ],
  args: [{ name: 'SHELL', choices: shells }],
  flags: [],
  examples: [
    { says: 'bash', line: 'source <(kubectl isthmus completion bash)' },
    { says: 'zsh', line: 'source <(kubectl isthmus completion zsh)' },
    { says: 'fish', line: 'kubectl isthmus completion fish | source' },
  ],
  run: ({ args, io }) => {
    io.out(scripts[args[0] ?? ''] ?? '');
    return Promise.resolve(exitOk);
  },
};

// What fits comes one a line, the last line being `:` and a number: 4 no file names, 0 file names
// too. It is cobra's protocol, which kubectl speaks with kubectl_complete-isthmus.
const bash = `_kubectl_isthmus() {
  local word=\${COMP_WORDS[COMP_CWORD]} lines directive
  mapfile -t lines < <(kubectl_complete-isthmus "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "$word" 2>/dev/null)
  directive=\${lines[-1]#:}
  unset 'lines[-1]'
  COMPREPLY=()
  local line
  for line in "\${lines[@]}"; do
    line=\${line%%$'\\t'*}
    [[ $line == "$word"* ]] && COMPREPLY+=("$line")
  done
  [[ $directive == 0 && \${#COMPREPLY[@]} == 0 ]] && COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _kubectl_isthmus kubectl-isthmus
`;

const zsh = `#compdef kubectl-isthmus
_kubectl_isthmus() {
  local -a lines named
  lines=("\${(@f)$(kubectl_complete-isthmus "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  local directive=\${lines[-1]#:}
  local line
  for line in "\${(@)lines[1,-2]}"; do named+=("\${line/$'\\t'/:}"); done
  (( \${#named} )) && _describe 'isthmus' named
  [[ $directive == 0 ]] && _files
}
compdef _kubectl_isthmus kubectl-isthmus
`;

const fish = `function __kubectl_isthmus
  set -l words (commandline -opc) (commandline -ct)
  kubectl_complete-isthmus $words[2..-1] 2>/dev/null | string match -v -r '^:[0-9]+$'
end
complete -c kubectl-isthmus -f -a '(__kubectl_isthmus)'
complete -c kubectl-isthmus -l kubeconfig -rF
`;

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };
