/** Who fetches for others is waited for so long; then each fetches for itself. */
const MOST_WAIT_SECONDS = 1_800;
/** More packs than this in a store make looking things up slow: they are joined. */
const MOST_PACKS = 50;

/**
 * Shell functions for `CHECKOUT_SCRIPT`: the objects of a repository that all its builds on a worker share, in
 * `$TRUNKLINE_CACHE/git/HASH`:
 *
 * - `store`: a bare repository. What came into it stays in it (no object is ever pruned), as work trees borrow its objects by their
 *   `objects/info/alternates`.
 * - `.users/*`: the work trees that borrow; while a build is in one of them the worker evicts nothing of it.
 * - `lock`: who fetches, a link to `PID:START` (START: the time in clock ticks at which that process began). All others wait,
 *   and find what they want. One whose process is gone is removed, and none is waited for longer than half an hour; should two remove it at once, both fetch, which git bears.
 *
 * The store is a help alone: where it cannot be used, the work tree fetches for itself. A build of a fork (`cache=read`) adds
 * nothing to it.
 */
export const CACHE_FUNCTIONS = `
mark() {
  [ -d "$1" ] && mkdir -p "$1/.users" && printf '%s\\n' "$tree" > "$1/.users/$(name_of "$tree")" && touch "$1"
}
name_of() { printf %s "$1" | cksum | tr ' ' -; }

born() {
  read -r born 2>/dev/null < "/proc/$1/stat" || { echo 0; return; }
  set -- \${born##*) }
  echo "\${20}"
}
lives() { kill -0 "\${1%%:*}" 2>/dev/null && [ "$(born "\${1%%:*}")" = "\${1#*:}" ]; }
hold() {
  own=$$:$(born $$) waited=0
  until ln -s "$own" "$entry/lock" 2>/dev/null; do
    [ -d "$entry" ] || return 1
    [ $waited -lt ${MOST_WAIT_SECONDS} ] || return 1
    owner=$(readlink "$entry/lock" 2>/dev/null) || owner=
    if [ -z "$owner" ]; then
      waited=$((waited + 1))
      [ ! -e "$entry/lock" ] || sleep 1
      continue
    fi
    if ! lives "$owner"; then
      rm -f "$entry/lock"
      continue
    fi
    # Said again and again: who waits is not silent.
    [ $((waited % 60)) = 0 ] && echo "waiting for process \${owner%%:*}, which fetches $url for all builds"
    waited=$((waited + 1))
    sleep 1
  done
}
release() { [ "$(readlink "$entry/lock" 2>/dev/null)" = "\${own-}" ] && rm -f "$entry/lock"; }

in_store() { [ -d "$store" ] && git --git-dir="$store" cat-file -e "$1^{commit}" 2>/dev/null; }
fetch_store() { git --git-dir="$store" fetch --force --no-tags -- "$url" "$@"; }
join_packs() {
  set -- "$store"/objects/pack/*.pack
  [ $# -le ${MOST_PACKS} ] || git --git-dir="$store" repack -q -a -d --keep-unreachable
}
# What a killed git left: no other fetches into it now.
tidy() {
  find "$store" -path "$store/objects" -prune -o -name '*.lock' -type f -exec rm -f {} +
  find "$store/objects/pack" -name 'tmp_*' -type f -mtime +0 -exec rm -f {} +
}
fill() {
  [ ! -d "$store" ] || tidy
  if [ ! -d "$store" ]; then
    rm -rf "$entry"/store.*
    git init -q --bare --template= "$store.$$" &&
      git --git-dir="$store.$$" config gc.auto 0 && git --git-dir="$store.$$" config gc.pruneExpire never &&
      git --git-dir="$store.$$" config fetch.unpackLimit 1 && mv "$store.$$" "$store" || return 1
  fi
  kept=refs/trunkline/$(name_of "$ref")
  if [ -z "$revision" ]; then
    fetch_store "+$ref:$kept" && tip=$(git --git-dir="$store" rev-parse -q --verify "$kept^{commit}") || return 1
  elif ! in_store "$revision"; then
    fetch_store "+$revision:$kept" || fetch_store --prune '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || return 1
  fi
  join_packs
}

use_cache() {
  [ -n "$hash" ] && [ -n "\${TRUNKLINE_CACHE-}" ] || return 1
  entry=$TRUNKLINE_CACHE/git/$hash store=$TRUNKLINE_CACHE/git/$hash/store
  mkdir -p "$entry" && mark "$entry" || return 1
  if [ "$cache" = fill ] && { [ -z "$revision" ] || ! in_store "$revision"; }; then
    hold || return 1
    fill
    release
  fi
  [ -d "$store" ] || return 1
  grep -qxF "$store/objects" .git/objects/info/alternates 2>/dev/null && return
  mkdir -p .git/objects/info && printf '%s\\n' "$store/objects" >> .git/objects/info/alternates
}
borrows() { [ -s .git/objects/info/alternates ]; }
is_whole() {
  borrows || return 0
  while read -r objects; do
    [ -d "$objects" ] || return 1
  done < .git/objects/info/alternates
  # A store that was begun anew has not all that the one before had.
  ! { git rev-parse -q --verify HEAD; git for-each-ref --format='%(objectname)'; } 2>/dev/null |
    git cat-file --batch-check 2>/dev/null | grep -q ' missing$'
}
mark_borrowed() {
  borrows || return 0
  while read -r objects; do
    case $objects in */store/objects) mark "\${objects%/store/objects}" ;; esac
  done < .git/objects/info/alternates
}
`;
