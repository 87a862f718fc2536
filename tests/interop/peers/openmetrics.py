"""Reads metrics from stdin with Prometheus' own parser for Python, and prints each sample as a line of JSON.

The argument says which format: `openmetrics` or `text`.
"""

import json
import sys

if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        exemplar = sample.exemplar and sample.exemplar.labels
        line = {"name": sample.name, "labels": sample.labels, "value": sample.value, "exemplar": exemplar}
        print(json.dumps(line))
