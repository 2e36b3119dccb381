"""The answer's schema, as the API describes it; `fer_demo.FaceResults.to_dict` gives the same."""

from typing import Annotated

from pydantic import BaseModel, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Box(BaseModel):
    """Where a face is, in pixels of the picture; it may reach over the border."""

    x: float
    y: float
    width: float
    height: float


class Face(BaseModel):
    """One face: where it is, and what its expression looks like."""

    box: Box = Field(description="Where it is: x, y, width and height in pixels of the picture.")
    landmarks: list[list[float]] | None = Field(description="Five points (x, y): eyes, nose, corners of the mouth.")
    score: Share | None = Field(description="The detector's confidence; null for a whole image.")
    label: str = Field(description="The most probable class.")
    confidence: Share = Field(description="Its probability.")
    unsure: bool = Field(description="There are several candidates or the face cannot be read: do not use the label.")
    candidates: list[str] = Field(description="The classes that the answer may mean, the most probable first.")
    readable: bool = Field(description="Whether the face can be read at all.")
    flags: list[str] = Field(description="What is wrong with the face, the gravest first.")
    quality: dict[str, float | bool | list[str] | None] | None = Field(description="The measures behind the flags.")
    probabilities: dict[str, Share] = Field(description="All classes; they add up to 1.")


class FacesFound(BaseModel):
    """The answer for one picture."""

    file: str | None = Field(description="The file's own name.")
    width: int = Field(description="Of the picture, in pixels.")
    height: int = Field(description="Of the picture, in pixels.")
    notes: list[str] = Field(description='What was noticed, such as "the photo seems to be upside down".')
    faces: list[Face] = Field(description="The largest first.")


class Problem(BaseModel):
    """What went wrong."""

    error: str = Field(description="One sentence that says what to do.")
