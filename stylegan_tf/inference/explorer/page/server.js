// Requests to the server: the newest wins, and a server that is gone is asked again.

const token = new URLSearchParams(location.search).get("token") || "";
export const client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Gone extends Error {} // the server does not answer
export class Superseded extends Error {} // a newer request has taken the place

// The JSON value of an answer, or {blob, milliseconds, name} of a file.
export async function ask(name, body = {}, slot = "") {
  let response;
  try {
    response = await fetch(`api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Token": token },
      body: JSON.stringify({ ...body, client, slot }),
    });
    if ((response.headers.get("Content-Type") || "") === "application/json") {
      const value = await response.json();
      if (response.status === 409) throw new Superseded();
      if (!response.ok) throw new Error(value.error);
      return value;
    }
    const blob = await response.blob();
    return { blob, milliseconds: Number(response.headers.get("X-Milliseconds")), name: response.headers.get("X-File-Name") };
  } catch (error) {
    throw error instanceof TypeError ? new Gone() : error; // what fetch throws without an answer
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Calls send(value) for the newest value only: while one is under way, later ones replace each other.
export class Newest {
  constructor(send, onError) {
    this.send = send;
    this.onError = onError;
    this.busy = false;
  }
  async request(value) {
    this.waiting = { value };
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      const { value: current } = this.waiting;
      this.waiting = null;
      try {
        await this.send(current);
      } catch (error) {
        this.onError(error);
        if (error instanceof Gone) {
          await pause(700);
          this.waiting = this.waiting || { value: current };
        }
      }
    }
    this.busy = false;
  }
}
