<?php

/**
 * Leave nothing behind.
 */

defined('WP_UNINSTALL_PLUGIN') || exit;
delete_option('newsletter_door');
delete_option('newsletter_door_token');
delete_transient('newsletter_door_entries');
delete_transient('newsletter_door_down');
delete_post_meta_by_key('_newsletter_door_skip');
