// <qm-statements>: files are handed in one after the other with their progress, then booked together; each shows where it stands.
// Chosen files are listed before they are handed in, so that each may begin on its own day and be taxed in its own way.

class Statements extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.list = this.querySelector("[data-files]");
    this.form.elements.files.addEventListener("change", () => this.show([...this.form.elements.files.files]));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.book();
    });
    this.addEventListener("dragover", (event) => event.preventDefault());
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      if (this.busy) return;
      this.form.elements.files.files = event.dataTransfer.files;
      this.show([...event.dataTransfer.files]);
    });
  }

  show(files) {
    if (this.busy) return;
    this.list.replaceChildren();
    this.rows = files.map((file) => this.row(file));
  }

  row(file) {
    const row = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const state = document.createElement("span");
    name.textContent = `${file.name} `;
    bar.max = Math.max(file.size, 1);
    bar.value = 0;
    bar.setAttribute("aria-label", `Progress of ${file.name}`);
    state.textContent = " pending";
    const since = document.createElement("input");
    since.type = "date";
    since.setAttribute("aria-label", `Begin of ${file.name}`);
    const treatment = this.form.elements.treatment.cloneNode(true);
    treatment.removeAttribute("name");
    treatment.value = "";
    treatment.options[0].textContent = "as all files";
    treatment.setAttribute("aria-label", `Gains of ${file.name}`);
    const choices = document.createElement("span");
    choices.append(" from ", since, " gains are ", treatment);
    row.append(name, bar, state, choices);
    this.list.append(row);
    return {
      file,
      bar,
      since,
      treatment,
      say: (text) => {
        state.textContent = ` ${text}`;
        choices.hidden = true;
      },
    };
  }

  send(file, id, row) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PUT", `/api/v1/statements/uploads/${id}?name=${encodeURIComponent(file.name)}`);
      request.setRequestHeader("X-CSRF-Token", this.form.dataset.csrf);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (event) => (row.bar.value = event.loaded);
      request.onerror = () => reject(new Error("the connection broke off; hand it in again"));
      request.onload = () => (request.status === 200 ? resolve() : reject(new Error(detail(request.responseText))));
      request.send(file);
    });
  }

  async book() {
    if (this.busy || !this.rows?.length) return;
    this.busy = true;
    const uploads = [];
    try {
      for (const row of this.rows) {
        const id = crypto.randomUUID();
        row.say("processing");
        try {
          await this.send(row.file, id, row);
          uploads.push({ id, row });
        } catch (error) {
          row.say(`failed: ${error.message}`);
        }
      }
      if (uploads.length) await this.ask(uploads);
    } finally {
      this.busy = false;
      document.body.dispatchEvent(new Event("qm-statements"));
    }
  }

  async ask(uploads) {
    const said = { uploads: uploads.map((one) => one.id) };
    const chosen = uploads.filter((one) => one.row.since.value || one.row.treatment.value);
    if (chosen.length) {
      said.choices = chosen.map(({ id, row }) => ({ upload_id: id, since: row.since.value || null, treatment: row.treatment.value || null }));
    }
    for (const name of ["account_id", "since", "treatment"]) if (this.form.elements[name].value) said[name] = this.form.elements[name].value;
    const answer = await fetch("/api/v1/statements/", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": this.form.dataset.csrf },
      body: JSON.stringify(said),
    });
    const text = await answer.text();
    if (!answer.ok) {
      for (const one of uploads) one.row.say(`failed: ${detail(text)}`);
      return;
    }
    JSON.parse(text).files.forEach((file, index) => {
      const counts = file.state === "failed" ? file.why : `${file.status}; ${file.booked} booked, ${file.ignored} ignored, ${file.not_understood} not understood`;
      uploads[index].row.say(`${file.state}: ${counts}`);
    });
  }
}

function detail(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return "no answer that can be read; try again";
  }
}

customElements.define("qm-statements", Statements);
