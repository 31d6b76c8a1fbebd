# Completion of pawl for fish. Use: pawl completion fish | source
function __pawl_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completion words -- $words[2..-1] 2>/dev/null
end
complete -c pawl -f -a '(__pawl_complete)'
