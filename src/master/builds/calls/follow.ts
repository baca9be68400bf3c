import type { FollowArgs, RunArgs } from '../../../config/calls.ts';

/**
 * `sh -c SCRIPT follow FILE MARK AT OLD`: prints a file as it grows, until MARK is there or it is told to end; what is there
 * then is printed before. AT: where it begins; OLD: the size and the second of the last change before the command, of a file
 * that is not to be taken for the command's. POSIX, but for `stat`, of which both kinds are known, and `head -c`.
 */
const SCRIPT = `
file=$1 mark=$2 at=$3 old=$4
top=$(pwd -P) || exit 1
# Changed just before, it may be changed again within the same second.
[ -n "$old" ] && [ $(($(date +%s) - \${old#* })) -le 1 ] && old=
node= place= over=
trap 'over=1' TERM

say() { printf '[trunkline: %s %s]\\n' "$file" "$1"; }

look() { stat -c '%s %Y %i' -- "$1" 2>/dev/null || stat -f '%z %m %i' -- "$1" 2>/dev/null; }

# Never outside of the folder, whatever links say.
find_place() {
  [ -f "$top/$file" ] && [ ! -L "$top/$file" ] || return 1
  folder=$(cd -P -- "$(dirname -- "$top/$file")" 2>/dev/null && pwd -P) || return 1
  case $folder/ in
    "$top"/*) place=$folder/$(basename -- "$file") ;;
    *) return 1 ;;
  esac
}

read_on() {
  set -- $(look "$place")
  [ $# = 3 ] || return 0
  if [ -z "$node" ]; then
    [ "$1 $2" = "$old" ] && return 0
    [ "$1" -lt "$at" ] && at=0
  elif [ "$3" != "$node" ] || [ "$1" -lt "$at" ]; then
    [ "$at" = 0 ] || say 'was replaced or cut: it goes on from its begin'
    at=0
  fi
  node=$3
  [ "$1" -gt "$at" ] || return 0
  # They end with what they were begun for, not with the order to end.
  ( trap '' TERM; tail -c +$((at + 1)) -- "$place" | head -c $(($1 - at)) ) && at=$1
}

while :; do
  # Of a folder that was removed nothing more will be told.
  if [ -e "$top/$mark" ] || [ ! -d "$top" ]; then over=1; fi
  last=$over
  find_place && read_on
  [ -n "$last" ] && break
  [ -n "$over" ] || sleep 0.5 2>/dev/null || [ -n "$over" ] || sleep 1
done

if [ -n "$node" ]; then exit 0
elif [ -L "$top/$file" ] || { [ -f "$top/$file" ] && [ -z "$place" ]; }; then say 'is a link, or leaves the folder of its command: it is not read'
elif [ -n "$place" ]; then say 'was not changed by the command'
else say 'was not there'
fi
`;

/** The command that follows a file into its log. */
export function followCommand({ file, mark, at, old, ...rest }: FollowArgs): RunArgs {
  return { command: ['/bin/sh', '-c', SCRIPT, 'follow', file, mark, String(at), old], ...rest };
}
