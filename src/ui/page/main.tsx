/** The dashboard: what the browser runs first. */

import { render } from 'preact';

const root = document.getElementById('app');
if (root !== null) render(<p>rtp_cluster</p>, root);
