/** What a shell is taught. Names come from the master as lines, and no line of them is ever read as code. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# trunkline completion bash > /etc/bash_completion.d/trunkline
_trunkline() {
  mapfile -t COMPREPLY < <(trunkline __complete --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o default -F _trunkline trunkline
`,
  zsh: `#compdef trunkline
# trunkline completion zsh > a folder of $fpath/_trunkline
_trunkline() {
  local -a found
  found=("\${(@f)$(trunkline __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n $found[1] ]] && compadd -a found || _files
}
compdef _trunkline trunkline
`,
  fish: `# trunkline completion fish > ~/.config/fish/completions/trunkline.fish
complete -c trunkline -a '(trunkline __complete -- (commandline -opc)[2..-1] (commandline -ct | string collect --allow-empty) 2>/dev/null)'
`,
};
