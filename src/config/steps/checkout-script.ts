import { CACHE_FUNCTIONS } from './checkout-cache-script.ts';

/** Exit status of the script: it may go better next time (the network, a busy server). */
export const TRY_AGAIN = 75;
/** Where a patch waits in `.git`, from before it is applied until the next checkout has cleaned the folder of it. */
export const PATCH_NAME = 'trunkline.patch';
/** Exit status of the script: the repository has no such branch or revision. */
export const NO_SUCH_REVISION = 66;
/** Exit status of the script: a submodule is gone, or cannot be reached. */
export const NO_SUBMODULE = 69;

/**
 * `sh -c SCRIPT checkout WORD=VALUE …`: makes the current folder a work tree of the revision, in one command
 * because each command is a round trip. The last line of its output is `got_revision SHA`, and a line before it, if it is asked
 * for and git finds one, `commit-description TEXT`.
 *
 * | word          | value                                                                                         |
 * |---------------|-----------------------------------------------------------------------------------------------|
 * | `url`, `branch`, `revision` | what is checked out; no branch: the server's HEAD                               |
 * | `clean`       | `fresh`: all goes that git does not know, `clean`: but what it ignores, `clobber`: everything |
 * | `copy`        | a folder that becomes a copy of this one                                                      |
 * | `depth`, `filter`, `tags`, `submodules`, `reference`, `origin` | see `CheckoutOptions`                        |
 * | `config`      | `NAME=VALUE` for each git; may be repeated                                                    |
 * | `describe`    | an option of `git describe`, or nothing; may be repeated                                      |
 * | `hash`, `cache` | of the store in the worker's cache; `fill` or `read`                                        |
 * | `wait`        | seconds, before all                                                                           |
 *
 * `.git/trunkline` holds the URL and is written when the repository is whole, so one that a crash left half made is made
 * anew; so is one that borrows objects which the worker has evicted, but with its index: files that are right keep their times. Locks that a killed git left behind are removed: nobody else works in this folder. Where the server refuses to give a
 * single revision, all branches are fetched, and what is on none of them (a pull request) by its own ref. No garbage collection goes on behind the build.
 *
 * A folder that has seen a patch is cleaned in every mode: what was made from the patch must not get into the next build.
 *
 * In its environment may be TRUNKLINE_GIT_KEY (a private key for ssh) and TRUNKLINE_GIT_KNOWN_HOSTS; they lie in `.git`, mode 600, while it runs. What a
 * killed one left there goes with the next.
 */
export const CHECKOUT_SCRIPT = `
set -u
url= branch= revision= clean= copy= depth= filter= tags= submodules= reference= origin=origin hash= cache= wait=0
describe= describes= configs= n=0 patched=
for word do
  value=\${word#*=} n=$((n + 1))
  case $word in
    config=*) eval "word$n=\\$value"; configs="$configs -c \\"\\$word$n\\"" ;;
    describe=*) eval "word$n=\\$value"; describe=yes; [ -z "$value" ] || describes="$describes \\"\\$word$n\\"" ;;
    *) eval "\${word%%=*}=\\$value" ;;
  esac
done
[ "$wait" = 0 ] || sleep "$wait"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git() { eval "command git -c gc.autoDetach=false -c maintenance.autoDetach=false -c advice.detachedHead=false $configs \\"\\$@\\""; }
tree=$(pwd -P) entry=
trap 'drop_keys; [ -z "$entry" ] || release' EXIT
trap 'exit 1' HUP INT TERM
${CACHE_FUNCTIONS}
key=\${TRUNKLINE_GIT_KEY-} known_hosts=\${TRUNKLINE_GIT_KNOWN_HOSTS-}
unset TRUNKLINE_GIT_KEY TRUNKLINE_GIT_KNOWN_HOSTS
keys=$tree/.git/trunkline.keys
drop_keys() { rm -rf "$keys"; }
use_keys() {
  drop_keys
  [ -n "$key$known_hosts" ] || return 0
  (umask 077 && mkdir "$keys") || return 1
  export keys
  GIT_SSH_COMMAND='ssh -o BatchMode=yes'
  if [ -n "$key" ]; then
    (umask 077 && printf '%s\\n' "$key" > "$keys/key") || return 1
    GIT_SSH_COMMAND="$GIT_SSH_COMMAND"' -o IdentitiesOnly=yes -i "$keys/key"'
  fi
  if [ -n "$known_hosts" ]; then
    (umask 077 && printf '%s\\n' "$known_hosts" > "$keys/known_hosts") || return 1
    GIT_SSH_COMMAND="$GIT_SSH_COMMAND"' -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=\\"$keys/known_hosts\\""'
  fi
  export GIT_SSH_COMMAND
}

empty() {
  for try in 1 2; do
    find "$1" -mindepth 1 -maxdepth 1 -exec rm -rf {} + && return
    # Builds make folders that their owner may not change.
    chmod -R u+rwx "$1"
  done
  return 1
}
remove_half() {
  rm -f .git/trunkline
  if [ ! -d .git ] || [ -L .git ]; then rm -rf .git; return; fi
  # The patch says what has to be cleaned still.
  find .git -mindepth 1 -maxdepth 1 ! -name ${PATCH_NAME} $1 -exec rm -rf {} +
}
open_tree() {
  known=
  if [ "$clean" = clobber ]; then empty . || return 1; fi
  [ -f .git/trunkline ] && read -r known < .git/trunkline
  mark_borrowed
  if [ -z "$known" ]; then remove_half '' || return 1
  elif ! is_whole; then
    echo 'the objects that this work tree had borrowed are gone: getting them anew'
    known=
    remove_half '! -name index ! -name modules' || return 1
  fi
  if [ -z "$known" ]; then git init -q --template= . || return 1; fi
  if [ "$known" != "$url" ]; then
    git config "remote.$origin.url" "$url" && printf '%s\\n' "$url" > .git/trunkline || return 1
  fi
  find .git -path .git/objects -prune -o -name '*.lock' -type f -exec rm -f {} + || return 1
  if [ -n "$reference" ] && ! grep -qxF "$reference/objects" .git/objects/info/alternates 2>/dev/null; then
    if [ -d "$reference/objects" ]; then mkdir -p .git/objects/info && printf '%s\\n' "$reference/objects" >> .git/objects/info/alternates
    else echo "no repository to borrow from: $reference"; fi
  fi
}

case $branch in
  '') ref=HEAD ;;
  refs/*) ref=$branch ;;
  *) ref=refs/heads/$branch ;;
esac
remote=$url
if [ -n "$filter" ]; then remote=$origin; fi
fetch() { git fetch --force --no-tags \${filter:+"--filter=$filter"} "$@"; }
has() { git cat-file -e "$revision^{commit}" 2>/dev/null; }
no_revision() { echo "$url has no revision $revision" >&2; return ${NO_SUCH_REVISION}; }
find_target() {
  tip=
  use_cache
  limit=\${depth:+"--depth=$depth"} whole=
  if [ -f .git/shallow ]; then
    whole=--unshallow
    [ -n "$depth" ] || limit=$whole
  fi
  if [ -n "$revision" ]; then
    target=$revision
    has && [ "$limit" != --unshallow ] && return
    fetch $limit -- "$remote" "+$revision:refs/trunkline/head" ||
      { has && [ ! -f .git/shallow ]; } ||
      fetch $whole -- "$remote" '+refs/heads/*:refs/trunkline/heads/*' '+refs/tags/*:refs/tags/*' || return ${TRY_AGAIN}
    case $branch in
      refs/*) has || fetch -- "$remote" "+$branch:refs/trunkline/head" ;;
    esac
    has || no_revision
    return
  fi
  target=refs/trunkline/head
  if [ -n "$tip" ]; then git update-ref "$target" "$tip" && return; fi
  fetch $limit -- "$remote" "+$ref:refs/trunkline/head" && return
  git ls-remote --exit-code -- "$remote" "$ref" > /dev/null
  [ $? = 2 ] || return ${TRY_AGAIN}
  if [ -n "$branch" ]; then echo "$url has no branch $branch" >&2; else echo "$url is empty" >&2; fi
  return ${NO_SUCH_REVISION}
}

update_modules() {
  git submodule --quiet sync --recursive && git submodule update --init --recursive --force && return
  # One within another may have moved: its new place is known only now.
  git submodule --quiet sync --recursive && git submodule update --init --recursive --force && return
  echo "a submodule of $url could not be checked out" >&2
  return ${NO_SUBMODULE}
}
clean_all() {
  git clean -q "$1" || return 1
  [ -z "$submodules" ] || git submodule --quiet foreach --recursive "git clean -q $1"
}
bring() {
  [ -e .git/${PATCH_NAME} ] && patched=yes
  open_tree && use_keys || return 1
  find_target || return
  git checkout --force --detach "$target" -- || { [ -n "$filter" ] && return ${TRY_AGAIN}; return 1; }
  if [ -n "$tags" ]; then fetch \${depth:+"--depth=$depth"} --prune -- "$remote" '+refs/tags/*:refs/tags/*' || return ${TRY_AGAIN}; fi
  if [ -n "$submodules" ]; then update_modules || return; fi
  case $patched$clean in
    yes* | fresh) clean_all -ffdx || return 1 ;;
    clean) clean_all -ffd || return 1 ;;
  esac
  rm -f .git/${PATCH_NAME}
}

bring
status=$?
if ! is_whole || { [ $status = 1 ] && borrows; }; then
  echo "once more without what other builds have fetched\${entry:+ (if this comes again, remove $entry)}" >&2
  hash= reference=
  remove_half '' && bring
  status=$?
fi
drop_keys
[ $status = 0 ] || exit $status
if [ -n "$copy" ]; then
  # A build may have put a link there.
  if [ -L "$copy" ] || [ ! -d "$copy" ]; then rm -f "$copy"; else empty "$copy" && rmdir "$copy"; fi || exit 1
  # The index remembers the files that were copied.
  cp -Rp . "$copy" && (cd "$copy" && git update-index -q --refresh) || exit 1
fi
if [ -n "$describe" ]; then
  text=$(eval "git describe $describes HEAD") && echo "commit-description $text"
fi
read -r sha < .git/HEAD
echo "got_revision $sha"
`;
