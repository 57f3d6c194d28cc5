// <posterity-similar movie="imdb:tt0113277" by="blend" limit="6" link="https://example.org/films/{imdb_id}">
// shows the films like a film, on pages of other sites. Its content is shown until they come, and if they do not.
{
  const server = new URL("..", document.currentScript.src); // the script is /static/embed.js
  const parameters = ["by", "limit", "link"];

  class Similar extends HTMLElement {
    static observedAttributes = ["movie", ...parameters];
    #asked = 0;

    connectedCallback() {
      if (!this.shadowRoot) this.attachShadow({ mode: "open" }).append(document.createElement("slot"));
      this.#show();
    }

    attributeChangedCallback() {
      if (this.shadowRoot && this.isConnected) this.#show();
    }

    async #show() {
      const asked = ++this.#asked;
      const given = parameters.filter((name) => this.hasAttribute(name)).map((name) => [name, this.getAttribute(name)]);
      const path = `embed/movies/${encodeURIComponent(this.getAttribute("movie") ?? "")}`;
      let shown = [document.createElement("slot")];
      try {
        const response = await fetch(new URL(`${path}?${new URLSearchParams(given)}`, server), { credentials: "omit" });
        if (!response.ok) throw new Error(`${response.status} ${(await response.json()).detail}`);
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        // As a sheet of its own: the page's policy may allow no inline style.
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(page.querySelector("style").textContent);
        this.shadowRoot.adoptedStyleSheets = [sheet];
        shown = page.querySelectorAll("section");
      } catch (error) {
        console.info("posterity-similar:", error.message);
      }
      if (asked === this.#asked) this.shadowRoot.replaceChildren(...shown);
    }
  }

  customElements.define("posterity-similar", Similar);
}
