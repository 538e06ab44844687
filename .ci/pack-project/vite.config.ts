import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// A plain `"/api": url` would send the relay's own address as Host, and the page would count as another site's.
const proxy = { "/api": { target: process.env.RELAY_URL ?? "http://127.0.0.1:8787", changeOrigin: false } };

export default defineConfig({ plugins: [react()], server: { proxy }, preview: { proxy } });
