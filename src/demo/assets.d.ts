/** What Vite makes of an imported picture: its address. */
declare module "*.svg" {
  const address: string;
  export default address;
}

/** What it makes of a file that is shown: its text. */
declare module "*?raw" {
  const text: string;
  export default text;
}
