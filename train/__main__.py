"""`python -m train` is the command `train`; torchrun starts it so: torchrun --nproc-per-node 8 -m train pretrain ..."""

from train.cli import main

if __name__ == "__main__":
    main()
