// The visitor's cameras: which there are, one of them opened, and closed again.

const SIZE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

const WHY = {
  NotAllowedError: "The camera may not be used; allow it in the browser's address bar, and start again.",
  NotFoundError: "There is no camera; plug one in, and start again.",
  NotReadableError: "The camera is in use by another program; close that, and start again.",
  OverconstrainedError: "That camera is gone; choose another one.",
};

export class Device {
  #stream = null;
  #turn = 0; // counts what the visitor asked for: a camera that opens too late is closed again

  constructor(video) {
    this.video = video;
  }

  get running() {
    return this.#stream !== null;
  }

  /** Whether it is the one that looks away from the visitor. */
  get outward() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().facingMode === "environment";
  }

  /** Opens a camera, "" for the one at the front; false if something else was asked for meanwhile. Errors are sentences. */
  async start(id, onEnd) {
    if (!navigator.mediaDevices) {
      throw new Error("The camera needs a page that is served over HTTPS or from localhost.");
    }
    this.stop();
    const mine = this.#turn;
    const which = id ? { deviceId: { exact: id } } : { facingMode: "user" };
    let given;
    try {
      given = await navigator.mediaDevices.getUserMedia({ video: { ...SIZE, ...which }, audio: false });
    } catch (error) {
      throw new Error(WHY[error.name] ?? `The camera cannot be used (${error.message}).`);
    }
    if (mine !== this.#turn) {
      given.getTracks().forEach((track) => track.stop());
      return false;
    }
    this.#stream = given;
    given.getVideoTracks()[0].addEventListener("ended", () => this.#stream === given && onEnd());
    this.video.srcObject = given;
    await this.video.play();
    return mine === this.#turn;
  }

  stop() {
    this.#turn++;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
  }

  /** Lets the camera send nothing for a while, or again. */
  pause(paused) {
    this.#stream?.getTracks().forEach((track) => (track.enabled = !paused));
  }

  /** All cameras, [{id, name, current}]; their names are told once one was allowed. */
  async all() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const current = this.#stream?.getVideoTracks()[0]?.getSettings().deviceId;
    return devices
      .filter(({ kind }) => kind === "videoinput")
      .map(({ deviceId, label }, n) => ({ id: deviceId, name: label || `Camera ${n + 1}`, current: deviceId === current }));
  }
}
