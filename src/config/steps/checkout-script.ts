/** Exit status of the script: it may go better next time (the network, a busy server). */
export const TRY_AGAIN = 75;
/** Where a patch waits in `.git`, from before it is applied until the next checkout has cleaned the folder of it. */
export const PATCH_NAME = 'trunkline.patch';
/** Exit status of the script: the repository has no such branch or revision. */
export const NO_SUCH_REVISION = 66;

/**
 * `sh -c SCRIPT checkout URL BRANCH REVISION MODE DELAY`: makes the current folder a work tree of the revision, in one command
 * because each command is a round trip. Branch and revision may be empty. The last line of its output is
 * `got_revision SHA`.
 *
 * `.git/trunkline` holds the URL and is written when the repository is whole, so one that a crash left half made is made
 * anew. Locks that a killed git left behind are removed: nobody else works in this folder. Where the server refuses to give a
 * single revision, all branches are fetched, and what is on none of them (a pull request) by its own ref. No garbage collection goes on behind the build.
 *
 * A folder that has seen a patch is cleaned in every mode: what was made from the patch must not get into the next build.
 */
export const CHECKOUT_SCRIPT = `
set -u
url=$1 branch=$2 revision=$3 mode=$4
[ "$5" = 0 ] || sleep "$5"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY
git() { command git -c gc.autoDetach=false -c maintenance.autoDetach=false -c advice.detachedHead=false "$@"; }

patched=
[ -e .git/${PATCH_NAME} ] && patched=yes
known=
[ -f .git/trunkline ] && read -r known < .git/trunkline
if [ -z "$known" ]; then
  rm -rf .git && git init -q --template= . || exit 1
fi
if [ "$known" != "$url" ]; then
  git config remote.origin.url "$url" && printf '%s\\n' "$url" > .git/trunkline || exit 1
fi
for lock in .git/*.lock .git/refs/trunkline/*.lock; do
  [ -e "$lock" ] && rm -f "$lock"
done

case $branch in
  '') ref=HEAD ;;
  refs/*) ref=$branch ;;
  *) ref=refs/heads/$branch ;;
esac
has() { git cat-file -e "$revision^{commit}" 2>/dev/null; }
no_revision() { echo "$url has no revision $revision" >&2; exit ${NO_SUCH_REVISION}; }

if [ -n "$revision" ]; then
  target=$revision
  if ! has; then
    git fetch --force -- "$url" "+$revision:refs/trunkline/head" ||
      git fetch --force -- "$url" '+refs/heads/*:refs/trunkline/heads/*' '+refs/tags/*:refs/tags/*' || exit ${TRY_AGAIN}
    case $branch in
      refs/*) has || git fetch --force -- "$url" "+$branch:refs/trunkline/head" ;;
    esac
    has || no_revision
  fi
else
  target=refs/trunkline/head
  if ! git fetch --force -- "$url" "+$ref:refs/trunkline/head"; then
    git ls-remote --exit-code -- "$url" "$ref" > /dev/null
    if [ $? = 2 ]; then
      if [ -n "$branch" ]; then echo "$url has no branch $branch" >&2; else echo "$url is empty" >&2; fi
      exit ${NO_SUCH_REVISION}
    fi
    exit ${TRY_AGAIN}
  fi
fi
git checkout --force --detach "$target" -- || exit 1
if [ "$mode" = clean ] || [ -n "$patched" ]; then
  git clean -q -ffdx || exit 1
fi
rm -f .git/${PATCH_NAME}
read -r sha < .git/HEAD
echo "got_revision $sha"
`;
