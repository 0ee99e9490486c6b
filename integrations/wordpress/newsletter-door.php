<?php

/**
 * Plugin Name: Newsletter Door
 * Description: The form of your own newsletter installation, a ping when a post is published or taken back, a switch that keeps a post out of the newsletter, and a button that sends one now.
 * Version: 0.1.0
 * Requires at least: 6.1
 * Requires PHP: 7.4
 * License: MIT
 * Text Domain: newsletter-door
 */

defined('ABSPATH') || exit;

const NEWSLETTER_DOOR_OPTION = 'newsletter_door';
const NEWSLETTER_DOOR_VERSION = '0.1.0';

require_once __DIR__ . '/plain.php';
require_once __DIR__ . '/api.php';
require_once __DIR__ . '/form.php';
require_once __DIR__ . '/switch.php';
if (is_admin()) {
    require_once __DIR__ . '/settings.php';
    require_once __DIR__ . '/posts.php';
}

/** Return the settings: `url` of the installation without a final slash, `list` its slug. */
function newsletter_door_settings(): array
{
    $stored = get_option(NEWSLETTER_DOOR_OPTION, []);
    return array_merge(['url' => '', 'list' => ''], is_array($stored) ? $stored : []);
}

/** Return settings that can be stored, from what was typed. */
function newsletter_door_clean($typed): array
{
    $typed = is_array($typed) ? $typed : [];
    $url = is_string($typed['url'] ?? null) ? untrailingslashit(esc_url_raw(trim($typed['url']), ['https', 'http'])) : '';
    $list = is_string($typed['list'] ?? null) ? trim($typed['list']) : '';
    return ['url' => $url, 'list' => preg_match('/^[a-z0-9-]{1,60}$/D', $list) ? $list : ''];
}

/** Return a word that was posted, '' where none was; it has to be checked like everything typed. */
function newsletter_door_posted(string $name): string
{
    return is_string($_POST[$name] ?? null) ? sanitize_text_field(wp_unslash($_POST[$name])) : '';
}

/* The ping: on publishing and on taking back, once a request for all posts. */

/** Ping at the end of this request, once for all posts. */
function newsletter_door_plan_ping(): void
{
    if (!has_action('shutdown', 'newsletter_door_ping')) {
        add_action('shutdown', 'newsletter_door_ping');
    }
}

add_action('transition_post_status', function ($new, $old, $post): void {
    if ($post->post_type === 'post' && ($new === 'publish' || $old === 'publish')) {
        newsletter_door_plan_ping();
    }
}, 10, 3);
add_action('deleted_post', function ($id, $post): void {
    if ($post->post_type === 'post' && $post->post_status === 'publish') {
        newsletter_door_plan_ping(); // it was never in the trash
    }
}, 10, 2);

/** Tell the installation that the blog has changed; what it answers is not believed. */
function newsletter_door_ping()
{
    $settings = newsletter_door_settings();
    if ($settings['url'] === '') {
        return null;
    }
    if (doing_action('shutdown') && function_exists('fastcgi_finish_request')) {
        fastcgi_finish_request(); // whoever publishes does not wait for it
    }
    newsletter_door_forget();
    return newsletter_door_ask($settings['url'] . '/ping', [
        'method' => 'POST',
        'limit_response_size' => 4096,
        'body' => ['url' => get_bloginfo('rss2_url')],
    ]);
}
