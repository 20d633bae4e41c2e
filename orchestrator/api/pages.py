"""The HTML of the service's own pages. Pure; whatever is not written here is escaped."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from orchestrator.api.problems import Kind

Json = dict[str, Any]

STYLE = """\
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .25rem; }
summary { cursor: pointer; }
"""

#: The document's paths are relative to where it was loaded from, which Swagger UI does not know by itself.
START = """\
"use strict";
const here = new URL(".", window.location.href).pathname.replace(/\\/$/, "");
fetch("openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: here || "/" }];
    window.ui = SwaggerUIBundle({
      spec,
      dom_id: "#swagger-ui",
      deepLinking: true,
      displayRequestDuration: true,
      persistAuthorization: false,
      queryConfigEnabled: false,
      validatorUrl: null,
    });
  });
"""


def _page(title: str, content: str, *, below: str = "") -> str:
    """A whole page; `below` leads from it to the service's root."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        '<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{below}docs/page.css">\n</head>\n<body>\n{content}\n</body>\n</html>\n'
    )


DOCS = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Saga orchestrator</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def problems() -> str:
    """Every type of problem, with a link each."""
    rows = "".join(
        f'<tr><td><a href="{kind.type.removeprefix("/")}"><code>{kind.type}</code></a></td>'
        f"<td>{kind.status}</td><td>{escape(kind.title)}</td></tr>"
        for kind in Kind
    )
    return _page("Problems", f"<h1>Problems</h1><table>{_head('type', 'status', 'meaning')}{rows}</table>")


def problem(kind: Kind) -> str:
    """One type of problem."""
    content = (
        f"<h1>{escape(kind.title)}</h1><p><code>{kind.type}</code>, status {kind.status}</p>"
        f'<p>{_prose(kind.advice)}</p><p><a href="../problems">Every type of problem</a></p>'
    )
    return _page(kind.title, content, below="../")


def asyncapi(document: Json) -> str:
    """Streams and messages."""
    info = document["info"]
    channels = document["channels"]
    links = "".join(
        f'<li><a href="#{escape(name)}"><code>{_address(one)}</code></a></li>' for name, one in channels.items()
    )
    parts = [
        f"<h1>{escape(info['title'])}: messages</h1><p>{_prose(info['description'])}</p>",
        '<p>For programs: <a href="asyncapi.json">asyncapi.json</a> (AsyncAPI 3.0).</p>',
        f"<ul>{links}</ul>",
        *(part for name, channel in channels.items() for part in _channel(document, name, channel)),
    ]
    return _page(f"{info['title']}: messages", "\n".join(parts))


def _channel(document: Json, name: str, channel: Json) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}"><code>{_address(channel)}</code></h2><p>{_prose(channel["description"])}</p>'
    for message in channel["messages"]:
        yield _message(document, document["components"]["messages"][message])


def _message(document: Json, message: Json) -> str:
    headers = message["headers"]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{'required' if name in headers['required'] else ''}</td>"
        f"<td>{_value(shape)}</td></tr>"
        for name, shape in headers["properties"].items()
    )
    payload = json.dumps(_resolved(document, message["payload"], ()), indent=2, ensure_ascii=False)
    return (
        f"<h3><code>{escape(message['name'])}</code></h3><p>{_prose(message['summary'])}</p>"
        f"<details><summary>Fields</summary><table>{_head('field', '', 'value')}{rows}</table></details>"
        f"<details><summary><code>data</code></summary><pre>{escape(payload)}</pre></details>"
    )


def _value(shape: Json) -> str:
    fixed = f"<code>{escape(shape['const'])}</code> " if "const" in shape else ""
    return fixed + _prose(shape.get("description", ""))


def _resolved(document: Json, value: Any, seen: tuple[str, ...]) -> Any:
    """The schema with the components that it refers to in their places; one inside itself stays a reference."""
    if isinstance(value, list):
        return [_resolved(document, item, seen) for item in value]
    if not isinstance(value, dict):
        return value
    target = value.get("$ref")
    if isinstance(target, str) and target not in seen:
        name = target.rpartition("/")[2]
        return _resolved(document, document["components"]["schemas"][name], (*seen, target))
    return {key: _resolved(document, item, seen) for key, item in value.items()}


def _address(channel: Json) -> str:
    return escape(channel["address"])


def _head(*names: str) -> str:
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _prose(text: str) -> str:
    """Text in which `code` is marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
