import argparse
import importlib
import sys

p = argparse.ArgumentParser()
s = p.add_subparsers(required=True)
for n in ("clients", "slow_pictures", "visitors", "faults"):
    importlib.import_module("tests.load." + n).add_parser(s)
a = p.parse_args()
sys.exit(a.run(a))
