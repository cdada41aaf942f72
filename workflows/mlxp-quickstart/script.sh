#!/bin/bash

#SBATCH --cpus-per-task=1
#SBATCH --time=0:10:00

python3 main.py optimizer.lr=10.,1. seed=1,2
python3 main.py model.num_units=100,200 seed=1,2
