// What runs on the login node for a project that lies elsewhere. Plain texts for `sh`; they stand in
// the project's own folder there and touch nothing outside it.

import { quote } from "../transport/remote-shell.ts";

/** Names, one a line, of which those are printed that are missing under `files` or `trees`. */
export const MISSING = `while read -r name; do [ -e "$name" ] || echo "$name"; done`;

/** Contents as a tar file; each must have the digest that it is named by. */
export const storeScript = (draft: string): string => `set -e
mkdir -p files ${draft}
trap 'rm -rf ${draft}' EXIT
tar -xf - -C ${draft}
( cd ${draft} && find . -type f -exec sha256sum {} + ) | while read -r digest path; do
  name=\${path#./}
  [ "\${name%x}" = "$digest" ] || { echo "the content of $name is not what was sent" >&2; exit 1; }
done
find ${draft} -type f -name '*x' -exec chmod 555 {} +
find ${draft} -type f ! -name '*x' -exec chmod 444 {} +
find ${draft} -type f -exec mv -f -t files {} +`;

/**
 * A delivery as a tar file below \`draft\`: trees, what is kept over attempts, the files of each job, and
 * the lists of what to do with them. A directory appears whole or not at all; one that is there stays.
 */
export const deliverScript = (draft: string, submission: string): string => `set -e
mkdir -p attempts work trees kept submissions ${draft}/trees
trap 'rm -rf ${draft}' EXIT
tar -xf -
while read -r tree; do
  mkdir -p "${draft}/trees/$tree"
  mv -T "${draft}/trees/$tree" "trees/$tree" 2>/dev/null || [ -e "trees/$tree" ]
done <${draft}/trees.list
while read -r name; do
  rm -rf "kept/$name"
  if [ -e "${draft}/kept/$name" ]; then mv "${draft}/kept/$name" "kept/$name"; else mkdir "kept/$name"; fi
done <${draft}/kept.list
while read -r place tree; do
  if [ ! -e "work/$place" ]; then
    cp -al "trees/$tree" "${draft}/work"
    [ ! -e "${draft}/jobs/$place/work" ] ||
      cp -a --remove-destination "${draft}/jobs/$place/work/." "${draft}/work/"
    ( cd "${draft}/work" && xargs -r -d '\\n' mkdir -p -- ) <"${draft}/jobs/$place/folders"
    mv -T "${draft}/work" "work/$place"
  fi
  mkdir -p "attempts/$place/tmp"
  cp -a "${draft}/jobs/$place/attempt/." "attempts/$place/"
done <${draft}/jobs.list
mkdir -p "submissions/${submission}"
mv "${draft}/index" "submissions/${submission}/index"`;

/** Lines \`SIZE MTIME PATH\` of everything attempts and submissions have written. */
export const LIST_WRITTEN = `find attempts submissions -type f \\( -path 'attempts/*' -o -name log \\) \
! -path 'attempts/*/tmp/*' -printf '%s %T@ %p\\n' 2>/dev/null
exit 0`;

/** Lines \`OFFSET COUNT PATH\`: prints so many bytes of each, one after the other. */
export const READ_PARTS = `while read -r offset count path; do
  tail -c "+$((offset + 1))" "$path" | head -c "$count"
done`;

/** Ends with 0 when the claim is nobody's for ever, with 1 when the attempt has started. */
export const fenceScript = (place: string, incarnation: string, text: string): string => `
mkdir -p ${quote(`attempts/${place}/${incarnation}`)} || exit 9
cd ${quote(`attempts/${place}/${incarnation}`)} || exit 9
set -C
{ printf '%s\\n' ${quote(text)} >started; } 2>/dev/null && exit 0
grep -qxF ${quote(text)} started && exit 0
[ -e started ] && exit 1
exit 9`;

/** Puts a stop request in place, whole; the first one counts. */
export const tellScript = (place: string, stop: string, isKill: boolean): string => `
cd ${quote(`attempts/${place}`)} || exit 0
${isKill ? ": >kill" : ""}
printf '%s' ${quote(stop)} >stop.$$ && { ln stop.$$ stop 2>/dev/null; rm -f stop.$$; }`;

/** Prints a tar file of what a job has made and of what is kept for its task. */
export const packScript = (
  draft: string,
  place: string,
  made: readonly string[],
  kept: readonly string[],
): string => `set -e
mkdir -p ${draft}/work ${draft}/kept
trap 'rm -rf ${draft}' EXIT
if [ -e ${quote(`work/${place}`)} ]; then
  ( cd ${quote(`work/${place}`)}
    for path in ${made.map(quote).join(" ")}; do
      if [ -e "$path" ] || [ -L "$path" ]; then cp -al --parents -- "$path" "../../${draft}/work/"; fi
    done )
fi
for name in ${kept.map(quote).join(" ")}; do
  [ ! -e "kept/$name" ] || cp -al "kept/$name" ${draft}/kept/
done
tar -cf - -C ${draft} .`;

/** Removes what belongs to one attempt, and what was kept for a task that has succeeded. */
export const dropScript = (place: string, kept: readonly string[]): string =>
  `rm -rf -- ${[`work/${place}`, `attempts/${place}`, ...kept.map((name) => `kept/${name}`)]
    .map(quote)
    .join(" ")}`;
