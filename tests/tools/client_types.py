"""Checks a response against the type that the public client declares for it: no member is missing or unknown.

    client_types.py RESOURCE OPERATION <ANSWER

The client itself returns any JSON unchanged; its users program against the types.
"""

import json
import sys
import typing

from typeguard import CollectionCheckStrategy, check_type
from ultralytics_platform import resources

resource, operation = sys.argv[1:]
method = getattr(getattr(resources, resource.title().replace("-", "")), operation.replace("-", "_"))
promised = typing.get_type_hints(method)["return"]
check_type(json.load(sys.stdin), promised, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
