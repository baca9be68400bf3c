/** @typedef {import('./plan.mjs').Module} Module */

/** What a part of a module computes: its n-th gives `3 x + n` for 0 <= x < 1,000, found the long way. */
const part = (id, n, lines = '') => `#include "${id.dashed}.h"

#include <string.h>

static int step_of(int at, int by) {
  return at + by;
}

int ${id.c}_part_${n}(int x) {
  char seen[1024];
  int at = ${n};
  memset(seen, 0, sizeof seen);
${lines}  for (int i = 0; i < x && i < (int)sizeof seen; i++) {
    seen[i] = 1;
    at = step_of(at, 3);
  }
  int count = 0;
  for (int i = 0; i < (int)sizeof seen; i++) count += seen[i];
  return count == x ? at : -1;
}
`;

const header = (id, module) => `#ifndef ${id.c.toUpperCase()}_H
#define ${id.c.toUpperCase()}_H

int ${id.c}_value(void);
${count(module.parts)
  .map((n) => `int ${id.c}_part_${n}(int x);`)
  .join('\n')}

#endif
`;

const main = (id, module) => `#include "${id.dashed}.h"

${module.dependsOn.map((name) => `#include "${name}.h"`).join('\n')}

/* Its own number, and those of all it stands on: a build with another version of one of them gives another sum. */
int ${id.c}_value(void) {
  long sum = ${module.own};
${module.dependsOn.map((name) => `  sum += ${identifier(name).c}_value();`).join('\n')}
  return (int)(sum % 1000003);
}
`;

/** A program that prints its points as TAP does. */
const test = (id, module, n) => `#include "${id.dashed}.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int points, failed;

static void ok(int good, const char *what) {
  points++;
  if (!good) failed++;
  printf("%s %d - %s\\n", good ? "ok" : "not ok", points, what);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
${checks(id, module, n)
  .map((line) => `  ${line}`)
  .join('\n')}
  printf("1..%d\\n", points);
  return failed > 0;
}
`;

function checks(id, module, n) {
  const points = count(module.parts).map(
    (k) => `ok(${id.c}_part_${k}(${n * 10}) == ${n * 30 + k}, "part ${k} of ${n * 10}");`,
  );
  if (n === 1) points.push(`ok(${id.c}_value() == ${module.value}, "the sum of all it stands on");`);
  if (n === 2 && module.fate === 'slow') {
    points.push('for (int i = 0; i < SECONDS * 10; i++) usleep(100000);', 'ok(1, "the long way round");');
  }
  if (n === 2 && module.fate === 'flaky') {
    points.push('srand((unsigned)getpid() ^ (unsigned)time(NULL));', 'ok(rand() % 4 != 0, "who comes first");');
  }
  return points;
}

const CONFIGURE = `#!/bin/sh
# usage: ./configure [--deps=FOLDER] [--mode=debug|release]
set -u
deps=deps mode=debug
for word in "$@"; do
  case $word in
    --deps=*) deps=\${word#*=} ;;
    --mode=*) mode=\${word#*=} ;;
    *) echo "configure: what is $word?" >&2; exit 64 ;;
  esac
done
: > config.log
say() { echo "$*"; echo "$*" >> config.log; }
CC=\${CC:-cc}
say "checking for a C compiler: $CC"
echo 'int main(void) { return 0; }' > conftest.c
if ! $CC -o conftest conftest.c >> config.log 2>&1; then
  say 'configure: the C compiler makes no programs; see config.log'
  exit 1
fi
rm -f conftest conftest.c
includes= archives=
for name in $(cat needs); do
  if [ ! -f "$deps/$name/lib/lib$name.a" ]; then
    say "configure: $name is missing: there is no $deps/$name/lib/lib$name.a"
    exit 1
  fi
  say "checking for $name: $deps/$name"
  includes="$includes -I$deps/$name/include"
  archives="$archives $deps/$name/lib/lib$name.a"
done
case $mode in release) flags=-O2 ;; *) flags='-O0 -g' ;; esac
{
  echo "CC = $CC"
  echo "CFLAGS = $flags -std=gnu11 -Wall -Wextra$includes"
  echo "ARCHIVES =$archives"
} > config.mk
say "configured for $mode"
`;

/** Its library holds all that it stands on, so that whoever needs it needs nothing else. */
const makefile = (id, module) => `include config.mk

# So long the slow test of a slow module takes.
SECONDS = 5

OBJECTS = ${count(module.parts)
  .map((n) => `src/${id.dashed}-${n}.o`)
  .join(' ')} src/${id.dashed}.o
TESTS = ${count(module.tests)
  .map((n) => `tests/test-${n}`)
  .join(' ')}

all: lib${id.dashed}.a

lib${id.dashed}.a: $(OBJECTS)
	rm -rf all $@ && mkdir all
	cd all && for archive in $(ARCHIVES); do ar x ../$$archive || exit 1; done
	ar rc $@ $(OBJECTS) $$(find all -name '*.o' | sort) && rm -rf all

src/${id.dashed}-%.o: src/part-%.c include/${id.dashed}.h
	$(CC) $(CFLAGS) -Iinclude -c -o $@ $<

src/${id.dashed}.o: src/${id.dashed}.c include/${id.dashed}.h
	$(CC) $(CFLAGS) -Iinclude -c -o $@ $<

tests/%: tests/%.c lib${id.dashed}.a
	$(CC) $(CFLAGS) -DSECONDS=$(SECONDS) -Iinclude -o $@ $< lib${id.dashed}.a

check: $(TESTS)
	sh tests/run $(TESTS)

install: all
	mkdir -p $(DESTDIR)/include $(DESTDIR)/lib
	cp include/*.h $(DESTDIR)/include
	cp lib${id.dashed}.a $(DESTDIR)/lib

clean:
	rm -f $(OBJECTS) $(TESTS) lib${id.dashed}.a *.tap

.PHONY: all check install clean
`;

/** Runs each program of tests, and leaves what all of them said beside it as one report a program. */
const RUN = `#!/bin/sh
failed=0
for program in "$@"; do
  name=\${program##*/}
  echo "# $name"
  "$program" > "$name.tap" || failed=1
  cat "$name.tap"
done
exit $failed
`;

/**
 * The files of a module, as text by path, at each of its commits; the last one is what its fate says.
 *
 * @param {Module} module
 * @returns {{ readonly message: string, readonly files: Readonly<Record<string, string>> }[]}
 */
export function history(module) {
  const id = identifier(module.name);
  const parts = count(module.parts).map((n) => [`src/part-${n}.c`, part(id, n)]);
  const begin = {
    'README.md': `# ${module.name}\n\nA part of the desktop; it stands on ${module.dependsOn.join(', ') || 'nothing'}.\n`,
    '.gitignore': '*.o\n*.a\n*.tap\nall/\nconfig.*\ntests/test-?\ndeps/\nsdk/\n',
    configure: CONFIGURE,
    Makefile: makefile(id, module),
    needs: `${module.dependsOn.join('\n')}\n`,
    [`include/${id.dashed}.h`]: header(id, module),
    [`src/${id.dashed}.c`]: main(id, module),
    ...Object.fromEntries(parts.slice(0, 1)),
  };
  const tests = Object.fromEntries(count(module.tests).map((n) => [`tests/test-${n}.c`, test(id, module, n)]));
  return [
    { message: `Begin ${module.name}`, files: begin },
    { message: 'Add the other parts', files: Object.fromEntries(parts.slice(1)) },
    { message: 'Test all of it', files: { ...tests, 'tests/run': RUN } },
    ...lastCommit(id, module),
  ];
}

function lastCommit(id, { fate }) {
  switch (fate) {
    case 'fails':
      return [
        { message: 'Count from zero', files: { 'src/part-1.c': part(id, 1).replace('int at = 1;', 'int at = 0;') } },
      ];
    case 'warns':
      return [
        { message: 'Prepare for more', files: { 'src/part-1.c': part(id, 1, '  int more;\n  unsigned less = 1;\n') } },
      ];
    case 'broken':
      return [
        { message: 'Use the new header', files: { 'src/part-1.c': `#include "not-there-yet.h"\n${part(id, 1)}` } },
      ];
    default:
      return [];
  }
}

function identifier(name) {
  return { dashed: name, c: name.replaceAll('-', '_') };
}

function count(to) {
  return Array.from({ length: to }, (_, index) => index + 1);
}
