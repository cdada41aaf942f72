/** Which commands a shell that lives on may evaluate. */

import { describe, expect, it } from "vitest";
import { isPlain, startsNoProgram } from "../../src/process/plain-text.ts";

describe("a command is plain", () => {
  it.each([
    ": > target",
    "python train.py --lr 0.1 --out 'a b' 2>&1 | tee log",
    "mkdir -p out && cp a b || false",
    'for i in 1 2 3; do echo "$i" >&2; done',
    "if [ -e x ]; then cat < x; fi",
    "echo $HOME ${FLOW_TASK} $(date) `date` $((1 + 2))",
    'test "$a" -lt 3 && ./run.sh ./data',
    "VAR=1 node -e 'console.log(1)'",
    "awk '{print $NF}' a.txt",
    "cd sub; make",
  ])("%s", (command) => expect(isPlain(command)).toBe(true));
});

describe("a command is not plain", () => {
  it.each([
    "echo $$",
    "echo ${$}",
    "echo $!",
    "echo $0 $1 $@ $# $* $- $_",
    "sleep 1 &",
    "a & b",
    "server&",
    "cmd &> all",
    "trap 'x' EXIT",
    "exec python x.py",
    "ulimit -n 10",
    "set +e; false",
    ". ./env.sh",
    "a; . env.sh",
    "source env.sh",
    'eval "$x"',
    "export A=1",
    "cat <<END\nx\nEND",
    "echo 3>file",
    "exec 3<&0",
    "f() { echo; }",
    "kill 1",
    "wait",
    "setsid daemon",
    "nohup daemon",
    "PATH=/x cmd",
    "IFS=, read a b",
    'echo "$PPID"',
    "return 3",
    "alias ls=x",
    "diff <(a) <(b)",
    'echo "trap inside a word of text is refused too: trap"',
    "echo _flow_x",
    "x".repeat(5000),
  ])("%s", (command) => expect(isPlain(command)).toBe(false));
});

describe("a command starts no program", () => {
  it.each([
    ": > target",
    "printf '%s\\n' a b >out && : >done || false",
    'echo "$FLOW_TASK" >x; cd sub\ntrue',
    "[ -e x ] || echo missing >&2",
  ])("%s", (command) => expect(startsNoProgram(command)).toBe(true));

  it.each([
    "ls",
    "echo a; ls",
    "echo a && ls",
    "echo a || ls",
    "echo a | cat",
    "echo $(ls)",
    "echo `ls`",
    "{ ls; }",
    "(ls)",
    "if true; then ls; fi",
    "! ls",
    "x=1 ls",
    ">out ls",
    "echo 'a\nls' b",
    "command ls",
  ])("or it does: %s", (command) => expect(startsNoProgram(command)).toBe(false));
});
