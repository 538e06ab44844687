/** The component that docs/frameworks.md shows, of the framework whose page imports it. */
declare module "room" {
  const Room: never;
  export default Room;
}
