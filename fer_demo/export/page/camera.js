// The camera: picture after picture is read and shown, until it is stopped or the visitor asks for something else.

import { pixels } from "./files.js";
import { say } from "./view.js";

const [status, button, video] = ["status", "camera", "video"].map((id) => document.getElementById(id));
const stopTracks = (stream) => stream?.getTracks().forEach((track) => track.stop());

export class Camera {
  #stream = null;
  #turn = 0; // counts what the visitor asked for: what answers something earlier is dropped

  /** `ready` promises the reader; `show` takes a picture and its faces. */
  constructor(ready, show) {
    Object.assign(this, { ready, show });
  }

  get running() {
    return this.#stream !== null;
  }

  stop() {
    this.#turn++;
    stopTracks(this.#stream);
    this.#stream = null;
    status.ariaLive = "polite";
    button.textContent = "Use the camera";
  }

  async start() {
    if (!navigator.mediaDevices) {
      return say("The camera needs a page that is served over HTTPS or from localhost; choose a photo.", true);
    }
    const mine = ++this.#turn;
    say("Waiting for the camera …");
    let given;
    try {
      given = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    } catch (error) {
      if (mine === this.#turn) say(`The camera cannot be used (${error.message}); allow it, or choose a photo.`, true);
      return;
    }
    if (mine !== this.#turn) return stopTracks(given); // something else was asked for while the browser was asking
    this.#stream = given;
    button.textContent = "Stop the camera";
    say("Loading the network …, the camera is next.");
    let reader;
    try {
      reader = await this.ready;
    } catch {
      return this.stop(); // the page has said why
    }
    if (mine !== this.#turn) return;
    status.ariaLive = "off"; // nobody wants every picture announced
    video.srcObject = given;
    await video.play();
    while (mine === this.#turn) {
      const start = performance.now();
      const picture = pixels(video, video.videoWidth, video.videoHeight);
      const faces = await reader.read(picture, { turned: false });
      if (mine !== this.#turn) break;
      this.show(picture, faces);
      const rate = Math.round(1000 / (performance.now() - start));
      say(`${faces.length ? "" : "No face in view. "}${rate} pictures a second`);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
}
