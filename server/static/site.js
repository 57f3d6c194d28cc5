// Addresses of this site, which may be served under a path such as /films/.

const ROOT = new URL("..", import.meta.url).pathname; // of static/, where this module is

/** Return the address of a page or of the API, such as "api/v1/map". */
export const site = (path) => ROOT + path;
