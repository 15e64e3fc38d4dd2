"""Links that are cut: the kernel drops what goes to and comes from a port, of which no process is told."""
import os
import shutil
import subprocess
import time

TABLE = "dht_endure"


class Links:
    """Who may not change the kernel's rules cuts nothing, and says so once."""

    # A cut is felt so long after it: writes of its time are completed within three minutes.
    AFTERMATH = 200

    def __init__(self):
        self.can_cut = os.geteuid() == 0 and shutil.which("nft") is not None
        self.cuts = []
        if not self.can_cut:
            print("no link is cut: that takes root and nft", flush=True)
            return
        self.mend_all()
        self.nft(f"add table inet {TABLE}")
        self.nft(f"add chain inet {TABLE} in {{ type filter hook input priority 0; }}")

    def nft(self, rule, check=True):
        subprocess.run(["nft", rule], check=check, capture_output=True)

    def cut(self, node, seconds):
        """Nothing reaches the node for so long, and nothing of it anybody else."""
        if not self.can_cut:
            return
        cut = [node, time.monotonic(), float("inf")]
        self.cuts.append(cut)
        for side in ("sport", "dport"):
            self.nft(f"add rule inet {TABLE} in udp {side} {node.port} drop")
        time.sleep(seconds)
        self.nft(f"flush chain inet {TABLE} in")
        cut[2] = time.monotonic()

    def touched(self, node, begun, aftermath=0.0):
        """Whether the node was cut off at any time since `begun`, or so many seconds before."""
        return any(node is cut and start <= time.monotonic() and begun <= end + aftermath
                   for cut, start, end in self.cuts)

    def mend_all(self):
        if self.can_cut:
            self.nft(f"delete table inet {TABLE}", check=False)
