"""What a GPU could do at most, so that what it does can be told as a share of it (model-FLOP utilisation).

Peaks are those of the vendors' data sheets, in TFLOP/s, dense: figures "with sparsity" are halved. The first column is
bf16 on tensor cores with float32 sums (fp16 on V100 and T4, which have no bf16 there), the second float32 without TF32.
Sources: NVIDIA's data sheets of V100, T4, A10, A30, A40, A100, L4, L40, L40S, H100, H200, HGX B200, GB200 NVL72, RTX
A6000 and RTX 6000 Ada; its white papers on the architectures of GA102 (RTX 3080, 3090), AD102 and AD103 (4080, 4090)
and GB202 (5090); AWS's page of the G5 for the A10G; AMD's data sheets of MI300X and MI325X. Clocks under load are
lower, so no code reaches 100 %.
"""

from typing import Literal

TERA = 1e12

# A name holds the words of its row; the first row that fits counts, so special forms stand before the common one.
_PEAKS: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("GB200",), 2500, 80),
    (("B200",), 2250, 75),
    (("H200", "NVL"), 835.5, 60),
    (("H200",), 989.5, 67),
    (("GH200",), 989.5, 67),
    (("H100", "NVL"), 835.5, 60),
    (("H100", "PCIe"), 756.5, 51),
    (("H100",), 989.5, 67),
    (("A100",), 312, 19.5),
    (("A40",), 149.7, 37.4),
    (("A30",), 165, 10.3),
    (("A10G",), 70, 35),
    (("A10",), 125, 31.2),
    (("L40S",), 362.05, 91.6),
    (("L40",), 181.05, 90.5),
    (("L4",), 121, 30.3),
    (("V100", "PCIE"), 112, 14),
    (("V100",), 125, 15.7),
    (("T4",), 65, 8.1),
    (("RTX", "A6000"), 154.8, 38.7),
    (("RTX", "6000", "Ada"), 364.25, 91.1),
    (("RTX", "5090"), 209.5, 104.8),
    (("RTX", "4090"), 165.2, 82.6),
    (("RTX", "4080"), 97.5, 48.7),
    (("RTX", "3090"), 71.2, 35.6),
    (("RTX", "3080"), 59.5, 29.8),
    (("MI325X",), 1307.4, 163.4),
    (("MI300X",), 1307.4, 163.4),
)


def peak_flops(name: str, precision: Literal["bf16", "fp32"]) -> float | None:
    """FLOP/s at most of the device that `torch.cuda.get_device_name` calls `name`; None where that is not known.

    A part of a GPU (MIG), a laptop's and a variant (Ti, SUPER) are others than the whole one of that name.
    """
    words = name.replace("-", " ").replace("_", " ").upper().split()
    if {"MIG", "LAPTOP", "TI", "SUPER", "MAX"} & set(words):
        return None
    for row, bf16, fp32 in _PEAKS:
        if all(word.upper() in words for word in row):
            return TERA * (bf16 if precision == "bf16" else fp32)
    return None


def utilisation(flops: float, *, seconds: float, peak: float) -> float:
    """The share of `peak` that was used to do `flops` of the model's own arithmetic in `seconds`: 0 to 1.

    Work that is done again for activation checkpointing does not count (PaLM, arXiv:2204.02311, appendix B).
    """
    return flops / (seconds * peak)
