import { describe, expect, it } from "vitest";
import { readDirectives } from "../../src/sub/directives.ts";

describe("directives", () => {
  it("go to SLURM as they are, without what flow sets itself", () => {
    const script = `#!/bin/bash
#SBATCH --job-name=mine --mem 4G
#SBATCH -p gpu -c 2   # two of them
#SBATCH --gres=gpu:1 --exclusive
#SBATCH --time=1-02:00:00
#SBATCH -o out/%j.txt
#SBATCH -W -w node7
#SBATCH --array 1-3
#SBATCH --comment="a b"
## SBATCH --qos=low
python main.py
`;
    expect(readDirectives(script)).toEqual({
      scheduler: "SLURM",
      options: [
        "--mem=4G",
        "-p",
        "gpu",
        "-c",
        "2",
        "--gres=gpu:1",
        "--exclusive",
        "--time=1-02:00:00",
        "-w",
        "node7",
        "--comment=a b",
      ],
      left: ["--job-name=mine", "-o out/%j.txt", "-W", "--array 1-3"],
      cpus: 2,
      memoryBytes: 4 * 2 ** 30,
      timeMs: 26 * 3_600_000,
    });
  });

  it.each([
    ["30", 30 * 60],
    ["10:30", 630],
    ["2:00:00", 7200],
    ["1-12", 36 * 3600],
  ])("a limit of %s", (text, seconds) => {
    expect(readDirectives(`#SBATCH -t ${text}`).timeMs).toBe(seconds * 1000);
  });

  it.each([
    ["#OAR -l core=1", "OAR"],
    ["#PBS -N x", "TORQUE or PBS"],
    ["#$ -cwd", "SGE"],
    ["#MSUB -N x", "Moab"],
    ["#BSUB -J x", "LSF"],
    ["# a comment", undefined],
  ])("%s", (line, scheduler) => {
    expect(readDirectives(`#!/bin/sh\n${line}\n`).scheduler).toBe(scheduler);
  });
});
