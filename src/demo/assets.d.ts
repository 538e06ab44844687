/** What Vite makes of an imported picture: its address. */
declare module "*.svg" {
  const address: string;
  export default address;
}
