"""The examples for containers: what a builder and a cluster would refuse at once is found here."""

import json
import re
import unittest
from pathlib import Path

try:
    import yaml
except ImportError:
    yaml = None

FOLDER = Path(__file__).resolve().parent.parent.parent / "Packaging/container"
INSTRUCTIONS = {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD",
                "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}


class Examples(unittest.TestCase):
    def test_the_container_file_is_one(self):
        text = re.sub(r"\\\n\s*", " ", (FOLDER / "Containerfile").read_text())
        lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self.assertEqual(lines[0][0], "FROM")
        for line in lines:
            self.assertEqual(len(line), 2, line)
            self.assertIn(line[0], INSTRUCTIONS)
        # Without a shell between: signals come to the node itself.
        for name in ("HEALTHCHECK", "ENTRYPOINT"):
            (found,) = (rest for instruction, rest in lines if instruction == name)
            self.assertEqual(json.loads(found[found.index("["):])[0], "dht")

    @unittest.skipUnless(yaml, "takes python3-yaml")
    def test_the_cluster_file_holds_together(self):
        parts = {part["kind"]: part for part in yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()) if part}
        for part in parts.values():
            self.assertTrue(part["apiVersion"] and part["metadata"]["name"])
        nodes = parts["StatefulSet"]["spec"]
        template = nodes["template"]
        labels = nodes["selector"]["matchLabels"]
        self.assertLessEqual(labels.items(), template["metadata"]["labels"].items())
        self.assertEqual(parts["Service"]["metadata"]["name"], nodes["serviceName"])
        self.assertLessEqual(parts["Service"]["spec"]["selector"].items(), template["metadata"]["labels"].items())
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in nodes.get("volumeClaimTemplates", [])}
        for container in template["spec"]["containers"]:
            self.assertLessEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)


if __name__ == "__main__":
    unittest.main()
