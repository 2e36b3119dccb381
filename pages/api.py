"""API: how programs ask this server, with its own address."""

from urllib.parse import urlsplit

import streamlit as st

from fer_demo.runtime.model_info import ModelError
from fer_demo.web.limits import limits
from fer_demo.web.models import default_model, model_names
from fer_demo.web.schema import Face, FacesFound
from pages.common import state
from pages.common.look import plain
from pages.common.sign_in import is_required


def address() -> str:
    """Where this visitor's browser found the application."""
    parts = urlsplit(st.context.url or "http://localhost:8501")
    return f"{parts.scheme}://{parts.netloc}{state.base_path()}"


def fields(model) -> str:
    """A schema's fields as a table in Markdown, whose words wrap on a phone."""
    properties = model.model_json_schema()["properties"]
    rows = [f"| `{name}` | {facts.get('description', '')} |" for name, facts in properties.items()]
    return "\n".join(["| field | what |", "|---|---|", *rows])


server = address()
token = ' --header "Authorization: Bearer …"' if is_required() else ""
st.title("Ask it from a program", anchor=False)
st.markdown(
    ":gray[One picture a request, its answer as JSON. Pictures are read in memory and not kept. The answer is a guess "
    "about an expression, not about a feeling.]"
)
st.subheader("The address", anchor=False)
st.code(f"POST {server}api/predict", language=None)
shell, python, javascript, gradio = st.tabs(["curl", "Python", "JavaScript", "gradio_client"])
shell.code(f"curl --form file=@photo.jpg{token} {server}api/predict", language="bash")
python.code(
    f"""import httpx  # or requests

with open("photo.jpg", "rb") as photo:
    answer = httpx.post("{server}api/predict", files={{"file": photo}})
answer.raise_for_status()
for face in answer.json()["faces"]:
    print(face["box"], face["label"], face["confidence"], "unsure" if face["unsure"] else "")""",
    language="python",
)
javascript.code(
    f"""// From a page of this server, or Node.js; pages of other sites are refused.
const form = new FormData();
form.append("file", file); // a File or Blob
const answer = await fetch("{server}api/predict", {{ method: "POST", body: form }});
const {{ faces, error }} = await answer.json();""",
    language="javascript",
)
gradio.code(
    f"""from gradio_client import Client, handle_file

Client("{server}upload/").predict(handle_file("photo.jpg"), api_name="/predict")""",
    language="python",
)
st.subheader("What can be said", anchor=False)
try:
    default, names = default_model(), model_names()
    labels = default.labels
except ModelError as error:
    st.error(plain(str(error)), icon=":material/error:")
    st.stop()
st.markdown(
    "- `?whole_image=true` takes the picture itself as one face\n"
    f"- `?model=` asks another model than `{default.name}`: {', '.join(f'`{name}`' for name in names)}\n"
    f"- the default model's classes are {', '.join(f'`{label}`' for label in labels)}\n"
    f"- a picture may have {limits().upload_mb:g} MB"
)
st.subheader("The answer", anchor=False)
st.markdown(fields(FacesFound))
st.markdown("Each face has")
st.markdown(fields(Face))
st.markdown(
    'What goes wrong is `{"error": "…"}` with one sentence, and a status: 400 for what is no picture, 413 for what '
    "is too large, 422 for arguments that make no sense, 503 with `Retry-After` when too many are waiting. "
    f"[All of it as OpenAPI]({server}api/openapi.json)."
)
