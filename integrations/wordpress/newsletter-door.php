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
const NEWSLETTER_DOOR_META = '_newsletter_door_skip';
const NEWSLETTER_DOOR_MARKER = 'no-newsletter';

require_once __DIR__ . '/plain.php';
require_once __DIR__ . '/api.php';
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

/* The form: a frame with the list's own form, which needs no script and is never stale in a cache. */

function newsletter_door_form($attributes = []): string
{
    $settings = newsletter_door_settings();
    if ($settings['url'] === '' || $settings['list'] === '') {
        return current_user_can('manage_options')
            ? '<p>' . esc_html__('Newsletter: enter the address and list under Settings > Newsletter.', 'newsletter-door') . '</p>'
            : '';
    }
    $attributes = is_array($attributes) ? $attributes : [];
    $height = min(2000, max(100, absint($attributes['height'] ?? 420)));
    $page = $settings['url'] . '/' . $settings['list'] . '/';
    return sprintf(
        '<iframe class="newsletter-door" src="%s" title="%s" height="%d" loading="lazy" style="width:100%%;border:0"></iframe><p><a href="%s">%s</a></p>',
        esc_url($page . 'embed'),
        esc_attr__('Subscribe to the newsletter', 'newsletter-door'),
        $height,
        esc_url($page),
        esc_html__('Subscribe on a page of its own', 'newsletter-door')
    );
}

add_action('init', function (): void {
    add_shortcode('newsletter', 'newsletter_door_form');
    register_block_type(__DIR__, ['render_callback' => 'newsletter_door_form']);
    register_post_meta('post', NEWSLETTER_DOOR_META, [
        'type' => 'boolean',
        'single' => true,
        'show_in_rest' => false,
        'auth_callback' => function ($allowed, $key, $post) {
            return current_user_can('edit_post', $post);
        },
    ]);
});

/* The ping: on publishing and on taking back, once a request for all posts. */

add_action('transition_post_status', function ($new, $old, $post): void {
    if ($post->post_type === 'post' && ($new === 'publish' || $old === 'publish')) {
        static $planned = false;
        if (!$planned) {
            $planned = true;
            add_action('shutdown', 'newsletter_door_ping');
        }
    }
}, 10, 3);

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
    delete_transient(NEWSLETTER_DOOR_ENTRIES);
    return wp_remote_post($settings['url'] . '/ping', [
        'timeout' => 3,
        'redirection' => 0,
        'limit_response_size' => 4096,
        'body' => ['url' => get_bloginfo('rss2_url')],
    ]);
}

/* The switch: a box beside the post, and its marker in the feed. */

add_action('add_meta_boxes_post', function (): void {
    add_meta_box('newsletter-door', __('Newsletter', 'newsletter-door'), function ($post): void {
        wp_nonce_field('newsletter_door_' . $post->ID, 'newsletter_door_nonce');
        printf(
            '<label><input type="checkbox" name="newsletter_door_skip" value="1"%s> %s</label>',
            checked((bool) get_post_meta($post->ID, NEWSLETTER_DOOR_META, true), true, false),
            esc_html__('Not in the newsletter', 'newsletter-door')
        );
    }, 'post', 'side');
});

add_action('save_post_post', function ($id): void {
    $nonce = $_POST['newsletter_door_nonce'] ?? '';
    if (!is_string($nonce) || !wp_verify_nonce(sanitize_text_field(wp_unslash($nonce)), 'newsletter_door_' . $id)) {
        return;
    }
    if (wp_is_post_revision($id) || !current_user_can('edit_post', $id)) {
        return;
    }
    if (empty($_POST['newsletter_door_skip'])) {
        delete_post_meta($id, NEWSLETTER_DOOR_META);
    } else {
        update_post_meta($id, NEWSLETTER_DOOR_META, 1);
    }
});

add_filter('the_category_rss', function ($list, $type) {
    $id = get_the_ID();
    if (!$id || !get_post_meta($id, NEWSLETTER_DOOR_META, true)) {
        return $list;
    }
    return $list . ($type === 'atom'
        ? '<category term="' . NEWSLETTER_DOOR_MARKER . '" />'
        : '<category><![CDATA[' . NEWSLETTER_DOOR_MARKER . ']]></category>');
}, 10, 2);
