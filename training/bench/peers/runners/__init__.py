"""Programs that run one peer each, in that peer's own environment: they import nothing of this project.

Called as ``RUNNER FACES FOLDER``, with the file of the faces (uint8, 48x48 each, one after the other) and the folder
that the peer's packages are installed in. The last line that they print is a JSON object; `timing.measure` and
``timing.mjs`` say which. `ours` runs this project's own checkpoints by the same procedure.
"""
