"""What GPUs could do at most."""

import pytest

from train.hardware import peak_flops, utilisation

KNOWN = {  # names as drivers give them, and TFLOP/s in bf16 and fp32
    "NVIDIA A100-SXM4-80GB": (312, 19.5),
    "NVIDIA A100 80GB PCIe": (312, 19.5),
    "NVIDIA H100 80GB HBM3": (989.5, 67),
    "NVIDIA H100 PCIe": (756.5, 51),
    "NVIDIA H100 NVL": (835.5, 60),
    "NVIDIA H200": (989.5, 67),
    "NVIDIA GH200 480GB": (989.5, 67),
    "NVIDIA B200": (2250, 75),
    "NVIDIA GB200": (2500, 80),
    "NVIDIA L4": (121, 30.3),
    "NVIDIA L40S": (362.05, 91.6),
    "NVIDIA A10G": (70, 35),
    "Tesla V100-SXM2-16GB": (125, 15.7),
    "Tesla V100-PCIE-32GB": (112, 14),
    "Tesla T4": (65, 8.1),
    "NVIDIA RTX A6000": (154.8, 38.7),
    "NVIDIA RTX 6000 Ada Generation": (364.25, 91.1),
    "NVIDIA GeForce RTX 4090": (165.2, 82.6),
    "NVIDIA GeForce RTX 3090": (71.2, 35.6),
    "AMD Instinct MI300X": (1307.4, 163.4),
}


@pytest.mark.parametrize("name", KNOWN)
def test_common_gpus_are_known_by_their_drivers_names(name: str) -> None:
    bf16, fp32 = KNOWN[name]
    assert peak_flops(name, "bf16") == pytest.approx(bf16 * 1e12)
    assert peak_flops(name, "fp32") == pytest.approx(fp32 * 1e12)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 3080 Ti",
        "NVIDIA GeForce RTX 4080 SUPER",
        "NVIDIA L400",
        "Some CPU",
    ],
)
def test_of_others_no_peak_is_claimed(name: str) -> None:
    assert peak_flops(name, "bf16") is None


def test_utilisation_is_the_share_of_the_peak() -> None:
    assert utilisation(156e12, seconds=1.0, peak=312e12) == pytest.approx(0.5)
